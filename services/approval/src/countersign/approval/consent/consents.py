"""Consent with one's own account: to the forge and back, or with what is delegated already."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from countersign.approval.consent.admission import Admission
from countersign.approval.consent.grants import Grants
from countersign.approval.consent.sign_in_flow import Begun, SignInFlow, code_in
from countersign.approval.consent.spans import in_trace
from countersign.approval.delegation.delegations import Delegations
from countersign.approval.interfaces import Application, Applications
from countersign.approval.model import Consent, reason_given, refuse_account, refuse_consent
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
        consent = entry.consent(
            approval_id=self.new_id(),
            person=person,
            session=request.session,
            despite_blocked=despite_blocked,
            reason=reason,
        )
        under_way = self.flow.resume(application, consent)
        if under_way is not None:
            return under_way
        self.admission.count(entry, person)
        with in_trace(SPAN_BEGIN_APPROVAL, consent):
            job = await self._reuse(application, consent, entry.promotion)
            if job is None:
                generation = self.admission.environments.generation(consent.promotion.pipeline)
                return await self.flow.send(application, consent, generation=generation)
            await self.grants.delegated_before(job)
            return Begun(
                approval_id=consent.approval_id,
                authorize_url="",
                expires_at=job.until.at,
                granted=True,
            )

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
        promotion = await self._still_wanted(sign_in)
        job = await self.delegations.accept(
            application, sign_in, code=code, refuse=partial(refuse_account, promotion)
        )
        await self.grants.delegated(job)
        return job

    async def _still_wanted(self, sign_in: SignIn) -> Promotion:
        consent = sign_in.consent
        promotion_id = consent.promotion.promotion_id
        promotion = (await self.admission.entry(promotion_id, consent.person)).promotion
        refuse_consent(promotion, consent.person)
        if promotion.attempt != consent.attempt:
            raise Rejected(ConsentRefusal.NOT_WAITING, "another attempt was begun meanwhile")
        generation = self.admission.environments.generation(consent.promotion.pipeline)
        if generation != sign_in.generation and sign_in.generation:
            raise Rejected(
                ConsentRefusal.NOT_WAITING,
                "the Pipeline was edited while you signed in; look at the promotion again",
            )
        self.admission.refuse_hindered(promotion, despite_blocked=consent.despite_blocked)
        return promotion
