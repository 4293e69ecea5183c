"""A promotion as its events have made it so far. `life.advance` makes the next from the last."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from countersign.contracts.messages import (
    CredentialMode,
    FailureDetail,
    FailureReason,
    ForgeUser,
    OpeningStep,
    Person,
    PromotionRef,
    PromotionRequested,
    PullRequestRef,
    Revision,
)
from countersign.contracts.wire.times import plausible


class State(StrEnum):
    """The states of a promotion."""

    WAITING = "waiting"
    ASKED = "asked"
    OPENING = "opening"
    OPEN = "open"
    DEPLOYING = "deploying"
    COMPLETED = "completed"
    UNDONE = "undone"
    FAILED = "failed"
    REJECTED = "rejected"
    CLOSED = "closed"
    SUPERSEDED = "superseded"


class Note(StrEnum):
    """Why a promotion waits again."""

    NONE = ""
    LOST = "lost"
    EXPIRED = "expired"


# A try only moves forward; `waiting` is entered again from `asked` and `opening` by losing the
# approval that had moved it on, and from `asked` by an approval that others must join.
_RANK: Final = {
    State.WAITING: 0,
    State.ASKED: 1,
    State.OPENING: 2,
    State.OPEN: 3,
    State.DEPLOYING: 4,
}
ATTEMPT_OVER: Final = frozenset({State.FAILED, State.REJECTED, State.CLOSED, State.UNDONE})
OVER: Final = frozenset({State.COMPLETED, State.SUPERSEDED})
# After that a person may ask again or give up: the news of a pull request may have been lost, or
# what was merged may never arrive.
OVERDUE: Final = {State.OPEN: timedelta(hours=1), State.DEPLOYING: timedelta(minutes=15)}
# Nobody asks that often; each try is kept in the stream for ever.
ATTEMPTS_MAX: Final = 100
# Of one try: sign-ins under way or approvals given; beyond that the oldest sign-in is forgotten.
APPROVALS_MAX: Final = 64
# Approvals that ended, the newest of them: an event that comes so much later comes never.
SPENT_MAX: Final = 256
# Pull requests of earlier tries, which may yet be merged.
EARLIER_MAX: Final = 8
RETRYABLE_REASONS: Final = frozenset(
    {FailureReason.RATE_LIMITED, FailureReason.FORGE_UNAVAILABLE, FailureReason.CONFLICT}
)


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One person's consent, under way or given."""

    approval_id: str
    by: Person
    replica: str = ""
    begun_at: datetime | None = None
    granted_at: datetime | None = None
    expires_at: datetime | None = None
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    forge_user: ForgeUser | None = None
    consent_digest: str = ""

    @property
    def is_given(self) -> bool:
        # Times are optional on the wire, the digest is not.
        return bool(self.consent_digest)


@dataclass(frozen=True, kw_only=True)
class AttemptedPull:
    """A pull request, and the attempt that it is of."""

    attempt: int
    pull_request: PullRequestRef


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """All that is known of one promotion; `approvals` and all below belong to this attempt."""

    request: PromotionRequested
    state: State
    attempt: int = 1
    # Who asked for this attempt; nobody did for one that the watcher found or time repeated.
    requester: Person | None = None
    note: Note = Note.NONE
    note_reason: str = ""
    approvals: tuple[Approval, ...] = ()
    # Approvals that ended; an event of theirs that comes late must not bring them back.
    spent: tuple[str, ...] = ()
    step: OpeningStep = OpeningStep.UNSPECIFIED
    opened: bool = False
    pull_request: PullRequestRef | None = None
    author: ForgeUser | None = None
    opened_mode: CredentialMode = CredentialMode.UNSPECIFIED
    files: tuple[str, ...] = ()
    merged_by: ForgeUser | None = None
    merged: bool = False
    # Attempts that were merged, so that one is not told twice.
    merged_attempts: frozenset[int] = frozenset()
    earlier: tuple[AttemptedPull, ...] = ()
    failure: FailureReason = FailureReason.UNSPECIFIED
    failure_message: str = ""
    failure_detail: FailureDetail = FailureDetail.UNSPECIFIED
    failure_path: str = ""
    failure_line: int = 0
    rejected_by: Person | None = None
    reason: str = ""
    superseded_by: str = ""
    running: Revision | None = None
    changed_at: datetime | None = None

    @property
    def promotion_id(self) -> str:
        return self.request.promotion.promotion_id

    @property
    def ref(self) -> PromotionRef:
        """Names the current attempt."""
        return self.request.promotion.model_copy(update={"attempt": self.attempt})

    @property
    def needs_consent(self) -> bool:
        delegated = self.request.mode is CredentialMode.DELEGATED
        return self.request.manual or delegated or bool(self.request.cautions)

    @property
    def approvals_needed(self) -> int:
        return max(1, self.request.approvals)

    @property
    def granted(self) -> tuple[Approval, ...]:
        return tuple(a for a in self.approvals if a.is_given)

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether it is open or deploying for so long that it may never end by itself."""
        if self.state not in OVERDUE:
            return False
        return self.overdue_at is None or now >= self.overdue_at

    @property
    def overdue_at(self) -> datetime | None:
        limit = OVERDUE.get(self.state)
        # No sum is beyond the calendar.
        since = plausible(self.changed_at) if self.changed_at else None
        return since + limit if limit and since else None

    def may_be_retried_at(self, now: datetime) -> bool:
        """Tell whether a person may ask for another try."""
        over = self.state in ATTEMPT_OVER or self.is_overdue(now)
        return over and self.attempt < ATTEMPTS_MAX

    def may_be_given_up_at(self, now: datetime) -> bool:
        """Tell whether a person may refuse it, though it is open or merged."""
        return self.is_overdue(now)

    @property
    def excluded(self) -> Person | None:
        """The person who may not approve it.

        Where the Pipeline says how many must, who asked for the attempt is none of them.
        """
        others = self.request.approvals > 0 and not self.request.solo_mode
        return self.requester if others else None

    @property
    def counted(self) -> tuple[Approval, ...]:
        """The approvals that count: each by another person, with another account at the forge."""
        people = {self.excluded.id} if self.excluded else set()
        accounts: set[str] = set()
        found: list[Approval] = []
        for approval in self.granted:
            account = approval.forge_user.id if approval.forge_user else ""
            if approval.by.id not in people and account not in accounts:
                found.append(approval)
                people.add(approval.by.id)
                accounts |= {account} - {""}
        return tuple(found)

    @property
    def approver(self) -> Person | None:
        """The person whose consent was the last that it took."""
        return self.granted[-1].by if self.granted else None

    @property
    def has_consent(self) -> bool:
        return len(self.counted) >= self.approvals_needed

    @property
    def state_before_consent(self) -> State:
        pending = any(not a.is_given for a in self.approvals)
        return State.ASKED if pending else State.WAITING

    def is_trying(self, ref: PromotionRef) -> bool:
        """Tell whether that attempt is the current one and not over."""
        return max(1, ref.attempt) == self.attempt and self.state not in ATTEMPT_OVER

    def sign_in_of(self, person_id: str) -> Approval | None:
        """Return the newest sign-in of that person that is under way."""
        begun = [a for a in self.approvals if not a.is_given and a.by.id == person_id]
        return begun[-1] if begun else None

    def is_before(self, state: State) -> bool:
        return _RANK.get(self.state, len(_RANK)) < _RANK[state]
