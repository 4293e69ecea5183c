"""Tries at a promotion, one after the other: each keeps its own end when the next begins."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    CredentialMode,
    ForgeUser,
    Person,
    PromotionCompleted,
    PromotionRef,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
    PromotionUndone,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestRef,
)
from countersign.contracts.promotion import ATTEMPTS_MAX, Promotion, State
from countersign.contracts.record.decisions import Decision, Decisions, Heard, Outcome, decide

# They end the promotion, whatever attempt it is at.
_OF_THE_WHOLE: Final = PromotionCompleted | PromotionSuperseded
_UNMERGED: Final = frozenset({State.OPEN})


@dataclass(frozen=True, kw_only=True)
class PullRequestRecord:
    """A pull request and its fate."""

    ref: PullRequestRef
    author: ForgeUser | None = None
    opened_at: datetime | None = None
    files: tuple[str, ...] = ()
    merged_at: datetime | None = None
    merged_by: ForgeUser | None = None
    merge_commit: str = ""
    closed_at: datetime | None = None
    closed_by: ForgeUser | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try. Nobody asked for one that the watcher found, or that repeated itself."""

    number: int
    requested_at: datetime | None
    requested_by: Person | None = None
    state: State = State.WAITING
    state_at: datetime | None = None
    # Why it came to that state, where somebody or something gave a reason.
    reason: str = ""
    decisions: Decisions = ()
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    pull_request: PullRequestRecord | None = None

    @property
    def approvals(self) -> Decisions:
        """The consents that were given, also those that came to nothing."""
        return tuple(d for d in self.decisions if d.was_given)

    @property
    def rejection(self) -> Decision | None:
        found = (d for d in self.decisions if d.outcome is Outcome.REJECTED)
        return next(found, None)

    @property
    def at(self) -> datetime | None:
        """The time it is filed under: it was decided, or else opened, or else asked for."""
        decided = [d.at for d in (*self.approvals, self.rejection) if d and d.at]
        opened = self.pull_request.opened_at if self.pull_request else None
        return min(decided, default=opened or self.requested_at)


@dataclass(frozen=True, kw_only=True)
class PromotionRecord:
    """A promotion with all its tries, oldest first."""

    promotion: Promotion
    attempts: tuple[Attempt, ...]
    # The first event of it, and the last that changed anything.
    sequence: int = 0
    as_of: int = field(default=0, compare=False)
    trace_id: str = ""

    @property
    def decisions(self) -> Decisions:
        return tuple(d for a in self.attempts for d in a.decisions)

    def attempt(self, number: int) -> Attempt | None:
        return next((a for a in self.attempts if a.number == number), None)


def fold(record: PromotionRecord | None, event: Message, heard: Heard) -> PromotionRecord | None:
    """The record after the event; the same object where it changes nothing.

    Args:
        record: none before `promotion.requested`.
        event: any message; one about another promotion must not be passed.
        heard: its place in the stream.

    """
    before = record.promotion if record else None
    after = advance(before, event)
    if after is None:
        return None
    if record is None:
        record = _first(after, heard)
    attempts = record.attempts
    if isinstance(event, PromotionRetried) and before and after.attempt > before.attempt:
        attempts = (*attempts, _next(event, after, heard))[-ATTEMPTS_MAX:]
    ref: PromotionRef | None = getattr(event, "promotion", None)
    number = max(1, ref.attempt) if ref else 0
    attempts = tuple(_told(a, event, heard) if a.number == number else a for a in attempts)
    if after is not before:
        attempts = _ranked(attempts, event, number=number, after=after, heard=heard)
    if attempts == record.attempts and after == record.promotion:
        return record
    return replace(record, promotion=after, attempts=attempts, as_of=heard.sequence)


def _first(promotion: Promotion, heard: Heard) -> PromotionRecord:
    at = promotion.request.requested_at or heard.recorded_at
    parts = heard.traceparent.split("-")
    attempt = Attempt(
        number=promotion.attempt, requested_at=at, state_at=at, mode=promotion.request.mode
    )
    return PromotionRecord(
        promotion=promotion,
        attempts=(attempt,),
        sequence=heard.sequence,
        as_of=heard.sequence,
        trace_id=parts[1] if len(parts) == 4 else "",  # noqa: PLR2004 - W3C trace context
    )


def _next(event: PromotionRetried, promotion: Promotion, heard: Heard) -> Attempt:
    at = event.retried_at or heard.recorded_at
    return Attempt(
        number=promotion.attempt,
        requested_at=at,
        requested_by=event.by,
        state_at=at,
        mode=promotion.request.mode,
    )


def _told(attempt: Attempt, event: Message, heard: Heard) -> Attempt:
    """Facts that hold whatever the state is; what was told first stays."""
    decisions = decide(attempt.decisions, event, heard)
    if decisions is not attempt.decisions:
        given = [d.mode for d in decisions if d.outcome is Outcome.GRANTED]
        attempt = replace(attempt, decisions=decisions, mode=(given or [attempt.mode])[-1])
    if isinstance(event, PullRequestOpened | PullRequestFailed):
        attempt = replace(attempt, mode=_known(event.mode, attempt.mode))
    if isinstance(event, PullRequestOpened):
        return _opened(attempt, event, heard)
    if isinstance(event, PullRequestMerged | PullRequestClosed):
        return _pull_request_ended(attempt, event, heard)
    return attempt


def _known(told: CredentialMode, before: CredentialMode) -> CredentialMode:
    return before if told is CredentialMode.UNSPECIFIED else told


def _opened(attempt: Attempt, event: PullRequestOpened, heard: Heard) -> Attempt:
    known = attempt.pull_request or PullRequestRecord(ref=event.pull_request)
    if known.opened_at is not None:
        return attempt
    opened = replace(
        known,
        ref=event.pull_request,
        author=event.author or known.author,
        opened_at=event.opened_at or heard.recorded_at,
        files=event.files,
    )
    return replace(attempt, pull_request=opened)


def _pull_request_ended(
    attempt: Attempt, event: PullRequestMerged | PullRequestClosed, heard: Heard
) -> Attempt:
    known = attempt.pull_request or PullRequestRecord(ref=event.pull_request)
    known = replace(known, author=known.author or event.author)
    if isinstance(event, PullRequestMerged):
        merged = replace(
            known,
            merged_at=known.merged_at or event.merged_at or heard.recorded_at,
            merged_by=known.merged_by or event.by,
            merge_commit=known.merge_commit or event.merge_commit,
        )
        return replace(attempt, pull_request=merged)
    closed = replace(
        known,
        closed_at=known.closed_at or event.closed_at or heard.recorded_at,
        closed_by=known.closed_by or event.by,
    )
    return replace(attempt, pull_request=closed)


def _ranked(
    attempts: tuple[Attempt, ...], event: Message, *, number: int, after: Promotion, heard: Heard
) -> tuple[Attempt, ...]:
    """Give the state to the attempt that the event is about; others keep the one they ended in."""
    *earlier, last = attempts
    is_whole = isinstance(event, _OF_THE_WHOLE | PromotionRequested | PromotionRetried)
    at = after.changed_at or heard.recorded_at
    if is_whole or number == last.number:
        last = _entered(last, after.state, at=at, reason=_reason(event))
    elif isinstance(event, PullRequestMerged):
        earlier = [
            _entered(a, State.DEPLOYING, at=at) if a.number == number else a for a in earlier
        ]
    if isinstance(event, PromotionCompleted):
        earlier = [
            _entered(a, State.COMPLETED, at=at) if a.state is State.DEPLOYING else a
            for a in earlier
        ]
    return (*earlier, last)


def _entered(attempt: Attempt, state: State, *, at: datetime, reason: str = "") -> Attempt:
    if state is attempt.state:
        return attempt
    pull = attempt.pull_request
    if pull is not None and state in _UNMERGED and pull.merged_at is not None:
        # Seen open after it was told to be merged: the news was forged.
        pull = replace(pull, merged_at=None, merged_by=None, merge_commit="")
    return replace(attempt, state=state, state_at=at, reason=reason, pull_request=pull)


def _reason(event: Message) -> str:
    if isinstance(event, PullRequestFailed):
        return event.message
    if isinstance(event, PromotionSuperseded | PromotionUndone):
        return event.reason
    return ""
