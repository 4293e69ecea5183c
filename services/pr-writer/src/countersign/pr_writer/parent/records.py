"""A promotion as this service keeps it, and how long what was given up may still take effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    CredentialMode,
    FailureReason,
    OpeningStep,
    PromotionRef,
    PullRequestFailed,
    PullRequestOpened,
    PullRequestProgressed,
    PullRequestRef,
)
from countersign.contracts.promotion import Promotion, State
from countersign.pr_writer.jobs.frames import EXECUTOR_S, LATE_S, SEND_S
from countersign.pr_writer.jobs.model import may_use_stored

# From the last sign of an attempt: an executor begun just then, and what it sent at its end.
ATTEMPT_S: Final = EXECUTOR_S + LATE_S
# From when a pull request might be sent for.
SENT_S: Final = SEND_S + LATE_S
# Nothing was sent that could open a pull request; a commit that comes late is a branch left behind.
_OPENS_NOTHING: Final = frozenset(
    {OpeningStep.READING, OpeningStep.EDITING, OpeningStep.COMMITTING}
)
# These end an attempt before it has a token.
_SENT_NOTHING: Final = frozenset(
    {
        FailureReason.CONSENT_MISMATCH,
        FailureReason.CREDENTIAL_MISSING,
        FailureReason.DELEGATION_EXPIRED,
        FailureReason.FORGE_NOT_LISTED,
        FailureReason.NOT_ALLOWED,
        FailureReason.NOT_HEALTHY,
        FailureReason.REPOSITORY_NOT_ALLOWED,
    }
)
Lane = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Late:
    """Times until which something may still take effect, by the monotonic clock; zero for none.

    Args:
        until_s: until then a request of any attempt that was given up.
        earlier_until_s: the same of attempts before the current one, which have other branches.
        sent_at_s: when a try of the current attempt was about to send for a pull request.

    """

    until_s: float = 0.0
    earlier_until_s: float = 0.0
    sent_at_s: float = 0.0

    @property
    def sent_until_s(self) -> float:
        """Return until when what tries of the current attempt sent for may still be opened."""
        return self.sent_at_s + SENT_S if self.sent_at_s else 0.0


@dataclass(frozen=True, kw_only=True)
class PromotionRecord:
    """A promotion, its trace, and its pull request even after the promotion itself is over.

    Args:
        promotion: as the life of promotions has it.
        trace: where its spans belong.
        pull: the newest of its pull requests that was told.
        pull_mode: with which kind of credential that was opened.
        pull_over: it was told to be merged or closed.
        late: until when what was sent may still take effect.
        delegates: ids of all who delegated for it.
        heard_at_s: by the monotonic clock; when anything was last heard of it.

    """

    promotion: Promotion
    trace: Mapping[str, str]
    pull: PullRequestRef | None = None
    pull_mode: CredentialMode = CredentialMode.UNSPECIFIED
    pull_over: bool = False
    late: Late = Late()
    delegates: frozenset[str] = frozenset()
    heard_at_s: float = 0.0

    @property
    def lane(self) -> Lane:
        """Pipeline and environment, in which one pull request may be open."""
        ref = self.promotion.request.promotion
        return ref.pipeline.namespace, ref.pipeline.name, ref.environment

    @property
    def promotion_id(self) -> str:
        return self.promotion.promotion_id

    @property
    def mode(self) -> CredentialMode:
        """Return the kind of credential that its attempt is made with."""
        if self.pull is not None:
            return self.pull_mode
        granted = self.promotion.granted
        return granted[-1].mode if granted else self.promotion.request.mode

    def is_about(self, pull: PullRequestRef) -> bool:
        return self.pull is not None and self.pull.number == pull.number

    @property
    def may_be_looked_for(self) -> bool:
        """Return whether the forge may be asked about it with nobody's consent."""
        return may_use_stored(self.mode)


def late(record: PromotionRecord, event: Message, *, after: Promotion, at_s: float) -> Late:
    """Return until when something may still take effect, an event later."""
    until_s = _until(record, event, after=after, at_s=at_s)
    is_new_try = after.attempt != record.promotion.attempt
    ref: PromotionRef | None = getattr(event, "promotion", None)
    is_of_earlier = ref is not None and max(1, ref.attempt) < after.attempt
    # Earlier attempts alone hold up the promotion itself. Tries of one attempt share a branch,
    # which is their lock: where a consent was lost before anybody had its token, the next need
    # not wait.
    earlier_until_s = min(record.late.earlier_until_s, until_s)
    if is_new_try or (is_of_earlier and until_s != record.late.until_s):
        earlier_until_s = until_s
    sent_at_s = 0.0 if is_new_try else _sent_at(record, event, at_s=at_s)
    return Late(until_s=until_s, earlier_until_s=earlier_until_s, sent_at_s=sent_at_s)


def _until(record: PromotionRecord, event: Message, *, after: Promotion, at_s: float) -> float:
    """Return until when requests of attempts that were given up may still take effect.

    An attempt ends when its pull request is told, or when it failed before it changed anything;
    else its time has to pass. What is heard of one that was given up says that it is still made.
    """
    before = record.promotion
    if isinstance(event, PullRequestOpened):
        return 0.0
    was_trying = before.state is State.OPENING
    given_up = record.late.until_s > 0 and not was_trying
    if isinstance(event, PullRequestFailed) and (given_up or after is not before):
        return _late_after_failure(record, event, at_s=at_s)
    was_given_up_now = was_trying and after.state is not State.OPENING
    is_still_tried = given_up and isinstance(event, PullRequestProgressed)
    return at_s + ATTEMPT_S if was_given_up_now or is_still_tried else record.late.until_s


def _late_after_failure(record: PromotionRecord, event: PullRequestFailed, *, at_s: float) -> float:
    began = event.step is not OpeningStep.UNSPECIFIED or event.reason not in _SENT_NOTHING
    if began and event.step not in _OPENS_NOTHING:
        return at_s + SENT_S
    # Of an earlier attempt, or an earlier try, the time still runs.
    return max(record.late.until_s, record.late.sent_until_s)


def _sent_at(record: PromotionRecord, event: Message, *, at_s: float) -> float:
    if isinstance(event, PullRequestOpened):
        return 0.0
    is_sending = isinstance(event, PullRequestProgressed) and event.step is OpeningStep.OPENING
    return at_s if is_sending else record.late.sent_at_s
