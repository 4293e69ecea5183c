"""People's consent: sending them to a forge and back, approving, rejecting, asking again."""

import re
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from countersign.approval.delegation.delegating import Delegations
from countersign.approval.interfaces import Application, Applications, Authorizer, Clock
from countersign.approval.model import (
    REASON_CHARACTERS_MAX,
    SIGN_IN_S,
    Consent,
    Ending,
    Entry,
    count_with,
    refuse_account,
    refuse_consent,
    refuse_plain_approval,
    refuse_rejection,
    refuse_retry,
)
from countersign.approval.promotions.announcing import Announcements
from countersign.approval.promotions.projection import Promotions
from countersign.approval.promotions.reasons import STARTED_AGAIN, declined, reason_of, told
from countersign.approval.promotions.standing import drop_withdrawn
from countersign.approval.vault.ciphers import Cipher
from countersign.approval.vault.sign_ins import SignIn, SignIns
from countersign.approval.vault.vault import Job
from countersign.contracts.consent.sign_in import state_for
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import CompleteRequest, Person
from countersign.contracts.promotion import Promotion
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.oauth import Challenge, challenge_of
from countersign.telemetry.attributes import (
    APPROVAL_ID,
    PROMOTION_ID,
    SPAN_BEGIN_APPROVAL,
    SPAN_COMPLETE_APPROVAL,
)
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import span

log = get_logger()

CODE_CHARACTERS_MAX: Final = 1_024
_STATE_BYTES: Final = 32
_VERIFIER_BYTES: Final = 48  # 64 characters; RFC 7636 wants 43 to 128
_ERROR_WORD: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Where the person goes next; nowhere if `granted`."""

    approval_id: str
    authorize_url: str
    expires_at: datetime
    granted: bool


@dataclass(frozen=True, kw_only=True)
class Consents:
    """Puts the parts together; holds nothing itself."""

    replica: str
    promotions: Promotions
    sign_ins: SignIns
    delegations: Delegations
    applications: Applications
    announcements: Announcements
    authorizer: Authorizer
    cipher: Cipher
    now: Clock
    new_id: Callable[[], str]

    async def begin(self, promotion_id: str, person: Person, *, session: str) -> Begun:
        entry = await self._entry(promotion_id, person)
        refuse_consent(entry.promotion, person)
        application = self.applications.find(entry.promotion.request.destination.origin)
        application.oauth.refuse_unaccepted()
        consent = entry.consent(approval_id=self.new_id(), person=person, session=session)
        with _in_trace(SPAN_BEGIN_APPROVAL, consent):
            job = await self._reuse(application, consent, entry.promotion)
            if job is not None:
                await self._grant_or_expire(job)
                return Begun(
                    approval_id=consent.approval_id,
                    authorize_url="",
                    expires_at=job.until,
                    granted=True,
                )
            return await self._send_to_forge(application, consent)

    async def _reuse(
        self, application: Application, consent: Consent, promotion: Promotion
    ) -> Job | None:
        try:
            return await self.delegations.reuse(
                application, consent, refuse=partial(refuse_account, promotion)
            )
        except Rejected as error:
            # The forge no longer takes the person's token; a new sign-in gives a new one.
            if error.reason != "denied":
                raise
            return None

    async def _send_to_forge(self, application: Application, consent: Consent) -> Begun:
        state = state_for(self.replica, random=secrets.token_urlsafe(_STATE_BYTES))
        verifier = Secret(secrets.token_urlsafe(_VERIFIER_BYTES))
        lasting = timedelta(seconds=SIGN_IN_S)
        sign_in = SignIn(
            consent=consent, verifier=self.cipher.seal(verifier), until=self.now() + lasting
        )
        for gone in self.sign_ins.add(state, sign_in):
            reason = told(STARTED_AGAIN, gone.consent)
            await self.announcements.expired(gone.consent, reason=reason)
        async with AsyncExitStack() as undo:
            undo.callback(self.sign_ins.remove, lambda s: s is sign_in)
            until = await self.announcements.begun(consent, lasting=lasting)
            undo.pop_all()
        log.info("approval.begun", **_names(consent))
        challenge = Challenge(state=state, code_challenge=challenge_of(verifier))
        url = application.oauth.authorize_url(challenge)
        return Begun(
            approval_id=consent.approval_id, authorize_url=url, expires_at=until, granted=False
        )

    def take(self, request: CompleteRequest) -> SignIn:
        """The sign-in that the browser came back from, which is used up by that."""
        if request.replica != self.replica or bool(request.code) == bool(request.error):
            raise Rejected("bad_request", "exactly one of code and error comes back from a forge")
        return self.sign_ins.take(
            request.state, session=request.session, person_id=request.person.id
        )

    async def complete(self, sign_in: SignIn, request: CompleteRequest) -> Job:
        """Exchange the code and grant; if that fails, the sign-in has ended."""
        consent = sign_in.consent
        with _in_trace(SPAN_COMPLETE_APPROVAL, consent):
            try:
                return await self._complete(sign_in, request)
            except (Rejected, Retryable) as error:
                log.warning("approval.failed", **_names(consent), reason=error.reason)
                await self.announcements.expired(consent, reason=reason_of(error, consent))
                raise

    async def _complete(self, sign_in: SignIn, request: CompleteRequest) -> Job:
        consent = sign_in.consent
        application = self.applications.find(consent.destination.origin)
        _refuse_other_issuer(request.iss, application)
        if request.error:
            word = request.error if _ERROR_WORD.fullmatch(request.error) else ""
            raise Rejected("denied", declined(consent, forge=application.forge.name, word=word))
        if len(request.code) > CODE_CHARACTERS_MAX:
            raise Rejected("bad_request", "the code is too long")
        promotion = await self._still_wanted(consent)
        job = await self.delegations.accept(
            application,
            sign_in,
            code=Secret(request.code),
            refuse=partial(refuse_account, promotion),
        )
        await self._grant(job)
        return job

    async def _still_wanted(self, consent: Consent) -> Promotion:
        promotion_id = consent.promotion.promotion_id
        promotion = (await self._entry(promotion_id, consent.person)).promotion
        refuse_consent(promotion, consent.person)
        if promotion.attempt != consent.attempt:
            raise Rejected("not_waiting", "another attempt was begun meanwhile")
        return promotion

    async def _grant(self, job: Job) -> None:
        consent, account = job.consent, job.forge_user
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.delegations.give_up, job, Ending.EXPIRED)
            entry = await self.promotions.get(consent.promotion.promotion_id)
            promotion = await self._standing(entry)
            count = count_with(promotion, consent, account=account)
            notice = self.promotions.accounts.notice(
                consent.person, account, origin=consent.destination.origin
            )
            await self.announcements.granted(job, count, notice=notice)
            undo.pop_all()
        if notice:
            log.warning("approval.account_unusual", **_names(consent), forge_user_id=account.id)
        log.info(
            "approval.granted",
            **_names(consent),
            forge_user_id=account.id,
            count=count.count,
            needed=count.needed,
        )

    async def _grant_or_expire(self, job: Job) -> None:
        """An error does not mean that nobody was told."""
        try:
            await self._grant(job)
        except Retryable as error:
            await self.announcements.expired(job.consent, reason=error.message)
            raise

    async def approve(self, promotion_id: str, person: Person) -> str:
        entry = await self._entry(promotion_id, person)
        refuse_consent(entry.promotion, person)
        refuse_plain_approval(entry.promotion)
        consent = entry.consent(approval_id=self.new_id(), person=person, session="")
        count = count_with(await self._standing(entry), consent, account=None)
        mode = entry.promotion.request.mode
        with _in_trace(SPAN_COMPLETE_APPROVAL, consent):
            await self.announcements.approved(consent, mode=mode, count=count)
        log.info("approval.granted", **_names(consent), count=count.count, needed=count.needed)
        return consent.approval_id

    async def reject(self, promotion_id: str, person: Person, *, reason: str) -> None:
        entry = await self._entry(promotion_id, person)
        refuse_rejection(entry.promotion)
        text = " ".join(reason.split())[:REASON_CHARACTERS_MAX]
        with span("reject promotion", parent=entry.trace, link_current=True):
            await self.announcements.rejected(entry.promotion.ref, by=person, reason=text)
        log.info("approval.rejected", promotion_id=promotion_id)

    async def retry(self, promotion_id: str, person: Person) -> int:
        entry = await self._entry(promotion_id, person)
        refuse_retry(entry.promotion)
        with span("retry promotion", parent=entry.trace, link_current=True):
            attempt = await self.announcements.retried(entry, by=person)
        log.info("promotion.retried", promotion_id=promotion_id, attempt=attempt)
        return attempt

    async def _entry(self, promotion_id: str, person: Person) -> Entry:
        entry = await self.promotions.get(promotion_id)
        await self.authorizer.refuse(person, entry.promotion)
        return entry

    async def _standing(self, entry: Entry) -> Promotion:
        return await drop_withdrawn(
            entry, authorizer=self.authorizer, announcements=self.announcements
        )


def _refuse_other_issuer(iss: str, application: Application) -> None:
    """RFC 9207: an answer that another server gave is not for us. Forges that send none pass."""
    if iss and iss not in application.oauth.issuers:
        raise Rejected(
            "state_mismatch", f"the answer does not come from {application.forge.name!r}"
        )


def _names(consent: Consent) -> dict[str, str]:
    return {
        "promotion_id": consent.promotion.promotion_id,
        "approval_id": consent.approval_id,
    }


def _in_trace(name: str, consent: Consent) -> AbstractContextManager[object]:
    attributes = {
        PROMOTION_ID: consent.promotion.promotion_id,
        APPROVAL_ID: consent.approval_id,
    }
    return span(name, parent=consent.trace, link_current=True, attributes=attributes)
