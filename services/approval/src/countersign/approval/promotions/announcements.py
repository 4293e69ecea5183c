"""The events of approval, each under an id that makes publishing it twice harmless.

Callers open the span; what is published inside carries its trace on.
"""

from collections import deque
from datetime import datetime
from typing import Final

from countersign.approval.interfaces import Clock, Publisher
from countersign.approval.model import Consent, Count, Entry
from countersign.approval.promotions.reasons import WORDS, cause_of, reason_of
from countersign.approval.vault.vault import Job, Spent
from countersign.contracts.consent.sign_in import person_digest
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    ApprovalRevoked,
    CredentialMode,
    ExpiryCause,
    Person,
    PromotionRef,
    PromotionRetried,
    RevocationOutcome,
    SessionEnded,
)
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import carrier, span, trace_of

log = get_logger()

# News that could not be told while the bus was away; the oldest are dropped beyond this.
POSTPONED_MAX: Final = 10_000
PUBLISH_TRIES_MAX: Final = 2
_SPAN: Final = "announce approval"


class Announcements:
    def __init__(self, publisher: Publisher, *, replica: str, now: Clock) -> None:
        self._publisher = publisher
        self._replica = replica
        self._now = now
        self._postponed: deque[tuple[Message, str, dict[str, str]]] = deque(maxlen=POSTPONED_MAX)

    async def publish(self, event: Message, *, message_id: str) -> None:
        """Publish, a few times if need be: the id makes a repetition harmless.

        Raises:
            Retryable: the bus is away.

        """
        for last in (*(False,) * (PUBLISH_TRIES_MAX - 1), True):
            try:
                await self._publisher.publish(event, message_id=message_id)
            except Retryable:
                if last:
                    raise
            else:
                return

    async def publish_later(self, event: Message, consent: Consent, *, message_id: str) -> None:
        """Publish in the promotion's trace, later if the bus is away now."""
        with span(_SPAN, parent=consent.trace, links=[carrier()]):
            await self._publish_or_keep(event, message_id, trace_of(consent.trace))

    async def sessions_ended(self, person_id: str, *, before: datetime) -> None:
        """Every replica is asked and tells the same, so one that lives is enough."""
        event = SessionEnded(person=person_digest(person_id), ended_at=before)
        await self._publish_or_keep(event, f"{event.person}-{before.timestamp()}-ended", {})

    async def _publish_or_keep(
        self, event: Message, message_id: str, trace: dict[str, str]
    ) -> None:
        if self._postponed:
            # In their order: of one person's sign-outs the stream keeps the last.
            self._postponed.append((event, message_id, trace))
            return
        try:
            await self.publish(event, message_id=message_id)
        except Retryable as error:
            log.warning("announcement.postponed", message_id=message_id, reason=error.reason)
            self._postponed.append((event, message_id, trace))
        except Rejected as error:
            log.error("announcement.refused", message_id=message_id, reason=error.reason)  # noqa: TRY400 - no bug of ours

    async def publish_postponed(self) -> None:
        """Try again what could not be told; stops at the first that still cannot."""
        while self._postponed:
            event, message_id, trace = self._postponed[0]
            with span(_SPAN, parent=trace):
                try:
                    await self._publisher.publish(event, message_id=message_id)
                except Retryable:
                    return
                except Rejected as error:
                    log.error("announcement.refused", message_id=message_id, reason=error.reason)  # noqa: TRY400 - no bug of ours
            self._postponed.popleft()

    async def begun(self, consent: Consent, *, until: datetime, by_code: bool) -> None:
        event = ApprovalBegun(
            promotion=consent.promotion,
            approval_id=consent.approval_id,
            by=consent.person,
            replica=self._replica,
            begun_at=self._now(),
            expires_at=until,
            device=by_code,
        )
        await self.publish(event, message_id=f"{consent.approval_id}-begun")

    async def granted(self, job: Job, count: Count, *, notice: str) -> None:
        """A delegation is held here. One that waits for other people's consent does not expire."""
        consent = job.consent
        event = ApprovalGranted(
            promotion=consent.promotion,
            approval_id=consent.approval_id,
            by=consent.person,
            mode=CredentialMode.DELEGATED,
            forge_user=job.forge_user,
            replica=self._replica,
            granted_at=self._now(),
            expires_at=job.until.at if count.completes else None,
            consent_digest=consent.digest,
            narrowed=job.own is None,
            despite_blocked=consent.despite_blocked,
            reason=consent.reason,
            token_kind=job.identity.kind,
            scopes=job.identity.scopes,
            count=count.count,
            needed=count.needed,
            notice=notice,
        )
        await self.publish(event, message_id=f"{consent.approval_id}-granted")

    async def approved(self, consent: Consent, *, mode: CredentialMode, count: Count) -> None:
        event = ApprovalGranted(
            promotion=consent.promotion,
            approval_id=consent.approval_id,
            by=consent.person,
            mode=mode,
            granted_at=self._now(),
            consent_digest=consent.digest,
            despite_blocked=consent.despite_blocked,
            reason=consent.reason,
            count=count.count,
            needed=count.needed,
        )
        await self.publish(event, message_id=f"{consent.approval_id}-granted")

    async def completed(self, event: ApprovalGranted) -> None:
        """Two people consented at once and neither was counted as the last: say that one was."""
        whole = event.model_copy(update={"count": event.needed})
        await self.publish(whole, message_id=f"{event.approval_id}-granted-{event.needed}")

    async def rejected(self, ref: PromotionRef, *, by: Person, reason: str) -> None:
        event = ApprovalRejected(promotion=ref, by=by, reason=reason, rejected_at=self._now())
        message_id = f"{ref.promotion_id}-{max(1, ref.attempt)}-rejected"
        await self.publish(event, message_id=message_id)

    async def retried(self, entry: Entry, *, by: Person | None) -> int:
        attempt = entry.promotion.attempt + 1
        ref = entry.promotion.ref.model_copy(update={"attempt": attempt})
        event = PromotionRetried(promotion=ref, by=by, retried_at=self._now())
        await self.publish(event, message_id=f"{ref.promotion_id}-{attempt}-retried")
        return attempt

    async def failed(self, consent: Consent, error: Rejected | Retryable) -> None:
        """Announce the end of a consent by the error of a later step."""
        cause = cause_of(error)
        text = reason_of(cause, consent) if cause in WORDS else error.message
        await self._expired(consent, cause, reason=text)

    async def expired(self, consent: Consent, cause: ExpiryCause) -> None:
        await self._expired(consent, cause, reason=reason_of(cause, consent))

    async def _expired(self, consent: Consent, cause: ExpiryCause, *, reason: str) -> None:
        event = ApprovalExpired(
            promotion=consent.promotion,
            approval_id=consent.approval_id,
            expired_at=self._now(),
            cause=cause,
            reason=reason,
            by=consent.person,
        )
        message_id = f"{consent.approval_id}-expired"
        await self.publish_later(event, consent, message_id=message_id)

    async def withdrawn(self, entry: Entry, *, approval_id: str, reason: str) -> ApprovalExpired:
        """A consent that waited for others' ends, because its giver may no longer give it."""
        event = ApprovalExpired(
            promotion=entry.promotion.ref,
            approval_id=approval_id,
            expired_at=self._now(),
            cause=ExpiryCause.NOT_PERMITTED,
            reason=reason,
            by=_giver(entry, approval_id),
        )
        await self.publish(event, message_id=f"{approval_id}-withdrawn")
        return event

    async def lost(self, entry: Entry, *, approval_id: str, replica: str) -> None:
        event = ApprovalLost(
            promotion=entry.promotion.ref,
            approval_id=approval_id,
            replica=replica,
            lost_at=self._now(),
            by=_giver(entry, approval_id),
        )
        with span(_SPAN, parent=entry.trace, links=[carrier()]):
            await self.publish(event, message_id=f"{approval_id}-lost")

    async def revoked(self, spent: Spent, outcome: RevocationOutcome) -> None:
        event = ApprovalRevoked(
            promotion=spent.consent.promotion,
            approval_id=spent.consent.approval_id,
            outcome=outcome,
            reason=spent.reason.value,
            revoked_at=self._now(),
            by=spent.consent.person,
            redeemed_at=spent.redeemed_at,
        )
        message_id = f"{spent.consent.approval_id}-revoked-{spent.name}"
        await self.publish_later(event, spent.consent, message_id=message_id)


def _giver(entry: Entry, approval_id: str) -> Person | None:
    given = (a.by for a in entry.promotion.approvals if a.approval_id == approval_id)
    return next(given, None)
