"""What happened to one promotion: its state, its moments, and who decided what.

Pure: `fold` takes what is known and one event, and gives what is known after it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from countersign.contracts.life import Promotion, State, advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    ApprovalRevoked,
    CredentialMode,
    ForgeUser,
    Person,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestUpdated,
    RevocationOutcome,
)
from countersign.gateway.timeline.moments import Heard, Moment, moment_of

MOMENTS_MAX: Final = 200  # a promotion tried a dozen times has about a hundred
DECISIONS_MAX: Final = 100


class Outcome(StrEnum):
    """What became of an approval."""

    ASKED = "asked"
    GRANTED = "granted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A person's consent or refusal, for the record."""

    approval_id: str
    by: Person
    outcome: Outcome
    at: datetime | None
    attempt: int
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    forge_user: ForgeUser | None = None
    reason: str = ""
    consent_digest: str = ""
    narrowed: bool = False
    revocation: RevocationOutcome = RevocationOutcome.UNSPECIFIED
    revocation_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A promotion with its history."""

    promotion: Promotion
    moments: tuple[Moment, ...] = ()
    decisions: tuple[Decision, ...] = ()
    checks: str = ""
    checked_at: datetime | None = None
    pull_request_ended: bool = False
    traceparent: str = ""
    # Where in the stream it began; later ones follow.
    sequence: int = 0

    @property
    def promotion_id(self) -> str:
        return self.promotion.promotion_id

    @property
    def is_left_open(self) -> bool:
        """Whether it was overtaken, and its pull request can still be merged."""
        overtaken = self.promotion.state is State.SUPERSEDED
        has_one = self.promotion.pull_request is not None and not self.promotion.merged
        return overtaken and has_one and not self.pull_request_ended

    @property
    def trace_id(self) -> str:
        parts = self.traceparent.split("-")
        return parts[1] if len(parts) == 4 else ""  # noqa: PLR2004 - W3C trace context

    @property
    def carrier(self) -> dict[str, str]:
        return {"traceparent": self.traceparent} if self.traceparent else {}


def fold(entry: Entry | None, event: Message, heard: Heard) -> Entry | None:
    """The entry after the event; the same object when the event changes nothing."""
    before = entry.promotion if entry else None
    after = advance(before, event)
    if after is None:
        return None
    if entry is None:
        entry = Entry(promotion=after, traceparent=heard.traceparent, sequence=heard.sequence)
    known = _same_revocation(entry, event)
    entry = _remember(entry, event, heard)
    if after is before and not (isinstance(event, ApprovalRevoked) and not known):
        return entry
    if before is not None and after.attempt > before.attempt:
        entry = replace(entry, pull_request_ended=False, checks="")
    moments = (*entry.moments, moment_of(event, after, heard))[-MOMENTS_MAX:]
    return replace(entry, promotion=after, moments=moments)


def _same_revocation(entry: Entry, event: Message) -> bool:
    if not isinstance(event, ApprovalRevoked):
        return True
    found = _decision(entry, event.approval_id)
    return found is not None and found.revocation is event.outcome


def _remember(entry: Entry, event: Message, heard: Heard) -> Entry:
    """Facts that hold whatever the state is."""
    if isinstance(event, PullRequestUpdated):
        return _checked(entry, event, heard)
    if isinstance(event, PullRequestMerged | PullRequestClosed) and not entry.pull_request_ended:
        return replace(entry, pull_request_ended=True)
    decided = _decide(entry, event, heard)
    if decided is None or decided in entry.decisions:
        return entry
    others = tuple(d for d in entry.decisions if d.approval_id != decided.approval_id)
    return replace(entry, decisions=(*others, decided)[-DECISIONS_MAX:])


def _checked(entry: Entry, event: PullRequestUpdated, heard: Heard) -> Entry:
    """The newest that the forge told; for an attempt that is over it says nothing."""
    at = event.updated_at or heard.recorded_at
    stale = entry.checked_at is not None and at <= entry.checked_at
    if stale or max(1, event.promotion.attempt) != entry.promotion.attempt:
        return entry
    return replace(entry, checks=event.summary, checked_at=at)


def _decision(entry: Entry, approval_id: str) -> Decision | None:
    return next((d for d in entry.decisions if d.approval_id == approval_id), None)


def _decide(entry: Entry, event: Message, heard: Heard) -> Decision | None:
    if isinstance(event, ApprovalRejected):
        attempt = max(1, event.promotion.attempt)
        return Decision(
            approval_id=f"rejected-{attempt}-{event.by.id}",
            by=event.by,
            outcome=Outcome.REJECTED,
            at=event.rejected_at or heard.recorded_at,
            attempt=attempt,
            reason=event.reason,
        )
    if isinstance(event, ApprovalBegun | ApprovalGranted):
        return _consent(entry, event, heard)
    if isinstance(event, ApprovalExpired | ApprovalLost | ApprovalRevoked):
        return _ended(_decision(entry, event.approval_id), event)
    return None


def _consent(entry: Entry, event: ApprovalBegun | ApprovalGranted, heard: Heard) -> Decision | None:
    known = _decision(entry, event.approval_id)
    attempt = max(1, event.promotion.attempt)
    if isinstance(event, ApprovalBegun):
        fresh = Decision(
            approval_id=event.approval_id,
            by=event.by,
            outcome=Outcome.ASKED,
            at=event.begun_at or heard.recorded_at,
            attempt=attempt,
            mode=CredentialMode.DELEGATED,
        )
        return known or fresh
    if known is not None and known.outcome is not Outcome.ASKED:
        return known
    return Decision(
        approval_id=event.approval_id,
        by=event.by,
        outcome=Outcome.GRANTED,
        at=event.granted_at or heard.recorded_at,
        attempt=attempt,
        mode=event.mode,
        forge_user=event.forge_user,
        consent_digest=event.consent_digest,
        narrowed=event.narrowed,
    )


def _ended(
    known: Decision | None, event: ApprovalExpired | ApprovalLost | ApprovalRevoked
) -> Decision | None:
    if known is None:
        return None
    if isinstance(event, ApprovalRevoked):
        return replace(known, revocation=event.outcome, revocation_reason=event.reason)
    if known.outcome in {Outcome.REJECTED, Outcome.EXPIRED, Outcome.LOST}:
        return known
    if isinstance(event, ApprovalExpired):
        return replace(known, outcome=Outcome.EXPIRED, reason=event.reason)
    return replace(known, outcome=Outcome.LOST, reason="the service that held it was restarted")
