"""Reactions to the news: they end what is over and repeat nothing.

An event that comes again finds nothing left to end.
"""

import asyncio
from dataclasses import dataclass

from countersign.approval.interfaces import ReceivedEvent
from countersign.approval.model import Ending
from countersign.approval.promotions.announcements import Announcements
from countersign.approval.promotions.environments import Environments
from countersign.approval.promotions.projection import Change, Promotions
from countersign.approval.revocation.revocations import Revocations
from countersign.approval.vault.sign_ins import SignIns
from countersign.approval.vault.vault import Vault
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    PipelineDeleted,
    PipelineObserved,
    PromotionCompleted,
    PromotionRetried,
    PromotionSuperseded,
    PullRequestFailed,
    PullRequestOpened,
)
from countersign.contracts.promotion import State
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import span

log = get_logger()

# Events that end all that anybody delegated for the promotion.
_ENDINGS: dict[type[Message], Ending] = {
    PullRequestOpened: Ending.USED,
    PullRequestFailed: Ending.USED,
    ApprovalRejected: Ending.REJECTED,
    PromotionSuperseded: Ending.SUPERSEDED,
    PromotionCompleted: Ending.SUPERSEDED,
    PromotionRetried: Ending.SUPERSEDED,
}
# Events that end one approval; they may come from another replica that believed us gone.
_ENDINGS_OF_ONE: dict[type[Message], Ending] = {
    ApprovalExpired: Ending.EXPIRED,
    ApprovalLost: Ending.LOST,
}


@dataclass(frozen=True, kw_only=True)
class Reactions:
    promotions: Promotions
    environments: Environments
    vault: Vault
    sign_ins: SignIns
    revocations: Revocations
    announcements: Announcements
    # Set once the past has been read: what it lacked is not made up for.
    caught_up: asyncio.Event

    async def on_event(self, received: ReceivedEvent) -> None:
        """Fold an event in, and do what follows from it; one that cannot be is left out."""
        with one_entry("react to events", message=type(received.message).__name__):
            if isinstance(received.message, PipelineObserved | PipelineDeleted):
                self.environments.apply(received.message)
            else:
                await self._on_event(received)

    async def _on_event(self, received: ReceivedEvent) -> None:
        change = await self.promotions.apply(received)
        if change is None:
            return
        event = change.event
        if ending := _ENDINGS.get(type(event)):
            await self._end_all(change, ending)
        elif isinstance(event, ApprovalExpired | ApprovalLost):
            await self._end_one(event.approval_id, _ENDINGS_OF_ONE[type(event)])
        elif isinstance(event, ApprovalGranted):
            await self._complete(event, change)

    async def _end_all(self, change: Change, ending: Ending) -> None:
        """End what was delegated for this attempt or an earlier one, not for a later."""
        ref = getattr(change.event, "promotion")  # noqa: B009 - all of them have one
        attempt = max(1, ref.attempt)
        if isinstance(change.event, PromotionRetried):
            attempt -= 1
        for job in self.vault.jobs:
            consent = job.consent
            if consent.promotion.promotion_id == ref.promotion_id and consent.attempt <= attempt:
                await self._end_one(consent.approval_id, ending)

    async def _end_one(self, approval_id: str, ending: Ending) -> None:
        self.sign_ins.remove(lambda s: s.consent.approval_id == approval_id)
        await self.revocations.add(*self.vault.end(approval_id, ending))

    async def _complete(self, event: ApprovalGranted, change: Change) -> None:
        """Say that enough have consented, if two did at once and neither counted the other."""
        if event.approval_id not in {a.approval_id for a in change.entry.promotion.granted}:
            # It came too late: the promotion was granted, or over, before.
            await self._end_one(event.approval_id, Ending.SUPERSEDED)
        if not self.caught_up.is_set():
            return
        if event.count >= event.needed or change.entry.promotion.state is not State.OPENING:
            return
        if event.approval_id not in {a.approval_id for a in change.entry.promotion.granted[-1:]}:
            return
        with span("complete consent", parent=change.entry.trace):
            try:
                await self.announcements.completed(event)
            except (Retryable, Rejected) as error:
                log.warning("approval.uncounted", reason=error.reason)
