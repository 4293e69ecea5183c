"""What happened to one promotion: its state, its moments, and who decided what.

Pure: `fold` takes what is known and one event, and gives what is known after it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from countersign.contracts.life import Promotion, advance
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
    OpeningStep,
    Person,
    PromotionCompleted,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
    PromotionUndone,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestProgressed,
    PullRequestUpdated,
    RevocationOutcome,
)

MOMENTS_MAX: Final = 200  # a promotion tried a dozen times has about a hundred
DECISIONS_MAX: Final = 100
STEP_NAMES: Final = {
    OpeningStep.READING: "reading files",
    OpeningStep.EDITING: "editing",
    OpeningStep.COMMITTING: "committing",
    OpeningStep.OPENING: "opening the pull request",
}


class Outcome(StrEnum):
    """What became of an approval."""

    ASKED = "asked"
    GRANTED = "granted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that happened, when, and by whom."""

    kind: str
    text: str
    at: datetime | None
    who: str = ""
    attempt: int = 1


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
    pull_request_ended: bool = False
    traceparent: str = ""
    # Where in the stream it began; later ones follow.
    sequence: int = 0

    @property
    def promotion_id(self) -> str:
        return self.promotion.promotion_id

    @property
    def trace_id(self) -> str:
        parts = self.traceparent.split("-")
        return parts[1] if len(parts) == 4 else ""  # noqa: PLR2004 - W3C trace context

    @property
    def carrier(self) -> dict[str, str]:
        return {"traceparent": self.traceparent} if self.traceparent else {}


class Heard(NamedTuple):
    """What came with an event."""

    sequence: int
    recorded_at: datetime
    traceparent: str = ""


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
    moments = (*entry.moments, _moment(event, after, heard))[-MOMENTS_MAX:]
    return replace(entry, promotion=after, moments=moments)


def _same_revocation(entry: Entry, event: Message) -> bool:
    if not isinstance(event, ApprovalRevoked):
        return True
    found = _decision(entry, event.approval_id)
    return found is not None and found.revocation is event.outcome


def _remember(entry: Entry, event: Message, heard: Heard) -> Entry:
    """Facts that hold whatever the state is."""
    if isinstance(event, PullRequestUpdated) and event.summary != entry.checks:
        return replace(entry, checks=event.summary)
    if isinstance(event, PullRequestMerged | PullRequestClosed) and not entry.pull_request_ended:
        return replace(entry, pull_request_ended=True)
    if isinstance(event, PromotionRetried) and entry.pull_request_ended:
        return replace(entry, pull_request_ended=False, checks="")
    decided = _decide(entry, event, heard)
    if decided is None or decided in entry.decisions:
        return entry
    others = tuple(d for d in entry.decisions if d.approval_id != decided.approval_id)
    return replace(entry, decisions=(*others, decided)[-DECISIONS_MAX:])


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
    return replace(known, outcome=Outcome.LOST, reason=f"replica {event.replica} is gone")


def _moment(event: Message, promotion: Promotion, heard: Heard) -> Moment:
    kind, text, who, at = _TOLD[type(event)](event)
    return Moment(
        kind=kind, text=text, who=who, at=at or heard.recorded_at, attempt=promotion.attempt
    )


def name_of(person: Person | ForgeUser | None) -> str:
    """As the forge or the sign-in writes it."""
    if person is None:
        return ""
    return person.login if isinstance(person, ForgeUser) else person.name or person.id


def _granted(e: ApprovalGranted) -> tuple[str, str, str, datetime | None]:
    text = {
        CredentialMode.DELEGATED: "delegated a token for this promotion",
        CredentialMode.STORED: "approved with the stored token",
        CredentialMode.APP: "approved; the application opens it",
    }.get(e.mode, "approved")
    if e.needed > 1:
        text += f" ({e.count} of {e.needed})"
    return "granted", text, name_of(e.by), e.granted_at


def _revoked(e: ApprovalRevoked) -> tuple[str, str, str, datetime | None]:
    text = {
        RevocationOutcome.REVOKED: "the delegated token was revoked at the forge",
        RevocationOutcome.FORGOTTEN: "the delegated token was forgotten; the forge cannot revoke",
        RevocationOutcome.FAILED: "the delegated token could not be revoked",
    }.get(e.outcome, "the delegated token ended")
    return "revoked", text + (f" ({e.reason})" if e.reason else ""), "", e.revoked_at


def _opened(e: PullRequestOpened) -> tuple[str, str, str, datetime | None]:
    who = name_of(e.author) or name_of(e.approver)
    return "opened", f"pull request #{e.pull_request.number} opened", who, e.opened_at


def _progressed(e: PullRequestProgressed) -> tuple[str, str, str, datetime | None]:
    return "step", STEP_NAMES.get(e.step, "working"), "", e.progressed_at


_Told = Callable[[Any], tuple[str, str, str, datetime | None]]
_TOLD: Final[dict[type[Message], _Told]] = {
    PromotionRequested: lambda e: ("requested", "found ready", "", e.requested_at),
    PromotionRetried: lambda e: ("retried", "asked for again", name_of(e.by), e.retried_at),
    PromotionSuperseded: lambda e: (
        "superseded",
        e.reason or "overtaken by a newer revision",
        "",
        e.superseded_at,
    ),
    PromotionCompleted: lambda e: ("completed", "runs in all targets", "", e.completed_at),
    PromotionUndone: lambda e: ("undone", e.reason or "undone", "", e.undone_at),
    ApprovalBegun: lambda e: ("asked", "went to the forge to sign in", name_of(e.by), e.begun_at),
    ApprovalGranted: _granted,
    ApprovalRejected: lambda e: (
        "rejected",
        f"rejected: “{e.reason}”" if e.reason else "rejected",
        name_of(e.by),
        e.rejected_at,
    ),
    ApprovalExpired: lambda e: (
        "expired",
        e.reason or "the approval ran out",
        "",
        e.expired_at,
    ),
    ApprovalLost: lambda e: (
        "lost",
        "the delegation ended before it was used",
        "",
        e.lost_at,
    ),
    ApprovalRevoked: _revoked,
    PullRequestProgressed: _progressed,
    PullRequestOpened: _opened,
    PullRequestFailed: lambda e: ("failed", e.message, "", e.failed_at),
    PullRequestMerged: lambda e: ("merged", "merged", name_of(e.by), e.merged_at),
    PullRequestClosed: lambda e: ("closed", "closed without merging", name_of(e.by), e.closed_at),
}
