"""Consent with one's own account: at the forge, or with what is delegated already."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from countersign.approval.consent.admission import Admission
from countersign.approval.consent.device_sign_ins import DeviceSignIns
from countersign.approval.consent.grants import Grants
from countersign.approval.consent.sign_in_flow import Begun, SignInFlow, code_in
from countersign.approval.consent.spans import in_trace
from countersign.approval.delegation.delegations import Delegations
from countersign.approval.interfaces import Application, Applications
from countersign.approval.model import Consent, Said, reason_given, refuse_account, refuse_consent
from countersign.approval.vault.sign_ins import SignIn
from countersign.approval.vault.vault import Job
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import BeginRequest, CompleteRequest
from countersign.contracts.promotion import Promotion
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.telemetry.attributes import SPAN_BEGIN_APPROVAL, SPAN_COMPLETE_APPROVAL
from countersign.telemetry.logs import get_logger

log = get_logger()


@dataclass(frozen=True, kw_only=True)
class Consents:
    admission: Admission
    applications: Applications
    delegations: Delegations
    flow: SignInFlow
    devices: DeviceSignIns
    grants: Grants
    new_id: Callable[[], str]

    async def begin(self, request: BeginRequest) -> Begun:
        """Grant with what the person delegated before, or say where they sign in."""
        person = request.person
        entry = await self.admission.entry(request.promotion_id, person)
        refuse_consent(entry.promotion, person)
        reason = reason_given(entry.promotion, request.reason)
        despite_blocked = request.despite_blocked
        self.admission.refuse_hindered(entry.promotion, despite_blocked=despite_blocked)
        application = self.applications.find(entry.promotion.request.destination.origin)
        application.oauth.refuse_unaccepted()
        if request.device and not application.forge.device_flow:
            raise Rejected(
                ConsentRefusal.DEVICE_FLOW_OFF,
                f"nobody signs in by a code at {application.forge.name!r}: deviceFlow is off in "
                "its entry",
            )
        consent = entry.consent(
            approval_id=self.new_id(),
            person=person,
            session=request.session,
            merges_itself=self.applications.merges_itself(entry.promotion.request),
            said=Said(reason=reason, despite_blocked=despite_blocked),
        )
        under_way = self.flow.resume(application, consent, by_code=request.device)
        if under_way is not None:
            return under_way
        self.admission.count(entry, person)
        with in_trace(SPAN_BEGIN_APPROVAL, consent):
            job = await self._reuse(application, consent, entry.promotion)
            if job is None:
                return await self._send(application, consent, by_code=request.device)
            await self.grants.delegated_before(job)
            return Begun(approval_id=consent.approval_id, expires_at=job.until.at, granted=True)

    async def _send(self, application: Application, consent: Consent, *, by_code: bool) -> Begun:
        generation = self.admission.environments.generation(consent.promotion.pipeline)
        if not by_code:
            begun, _ = await self.flow.send(application, consent, generation=generation)
            return begun
        code = await application.oauth.begin_device()
        begun, sign_in = await self.flow.send(
            application, consent, generation=generation, code=code
        )
        self.devices.follow(sign_in, interval_s=code.interval_s)
        return begun

    async def _reuse(
        self, application: Application, consent: Consent, promotion: Promotion
    ) -> Job | None:
        try:
            return await self.delegations.reuse(
                application, consent, refuse=partial(refuse_account, promotion)
            )
        except Rejected as error:
            # The forge no longer takes the person's token; a new sign-in gives a new one.
            if error.reason != DelegationRefusal.DENIED:
                raise
            return None

    def take(self, request: CompleteRequest) -> SignIn:
        return self.flow.take(request)

    async def complete(self, sign_in: SignIn, request: CompleteRequest) -> Job:
        """Exchange the code and grant; if that fails, the sign-in has ended."""
        consent = sign_in.consent
        with in_trace(SPAN_COMPLETE_APPROVAL, consent):
            try:
                return await self._complete(sign_in, request)
            except (Rejected, Retryable) as error:
                log.warning("approval.failed", **consent.names, reason=error.reason)
                await self.grants.announcements.failed(consent, error)
                raise

    async def _complete(self, sign_in: SignIn, request: CompleteRequest) -> Job:
        consent = sign_in.consent
        application = self.applications.find(consent.destination.origin)
        code = code_in(request, consent, application)
        promotion = await self.admission.wanted_still(sign_in)
        job = await self.delegations.accept(
            application, sign_in, code=code, refuse=partial(refuse_account, promotion)
        )
        await self.grants.delegated(job)
        return job
