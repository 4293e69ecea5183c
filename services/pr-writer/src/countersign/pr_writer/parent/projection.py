"""Folds the stream into what this service knows of all promotions."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalGranted,
    CredentialMode,
    FailureReason,
    OpeningStep,
    PromotionRef,
    PromotionRequested,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestProgressed,
    PullRequestRef,
    PullRequestUpdated,
)
from countersign.contracts.promotion import Promotion, State
from countersign.pr_writer.jobs.frames import EXECUTOR_S, LATE_S, SEND_S
from countersign.pr_writer.jobs.model import PREVIOUS_MAX, may_use_stored
from countersign.pr_writer.parent.interfaces import Clock, MonotonicClock, ReceivedEvent

# Late events are about the newest few of an environment; older ones change nothing any more.
PROMOTIONS_PER_ENVIRONMENT_MAX: Final = 20
# From the last sign of an attempt: an executor begun just then, and what it sent at its end.
ATTEMPT_S: Final = EXECUTOR_S + LATE_S
# From when a pull request might be sent for.
SENT_S: Final = SEND_S + LATE_S
_LONG_AGO: Final = datetime.fromtimestamp(0, tz=UTC)
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
_LEFT_OPEN: Final = frozenset({State.OPEN, State.SUPERSEDED, State.REJECTED, State.COMPLETED})
Lane = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class PromotionRecord:
    """A promotion, its trace, and its pull request even after the promotion itself is over.

    Args:
        promotion: as the life of promotions has it.
        trace: where its spans belong.
        pull: the newest of its pull requests that was told.
        pull_mode: with which kind of credential that was opened.
        pull_over: it was told to be merged or closed.
        late_until_s: by the monotonic clock; until then a request of an attempt that was given up
            may still take effect. Zero where there is none.
        sent_at_s: by the monotonic clock; when a try of the current attempt was about to send for a
            pull request. Zero where none was.
        delegates: ids of all who delegated for it.
        heard_at_s: by the monotonic clock; when anything was last heard of it.

    """

    promotion: Promotion
    trace: Mapping[str, str]
    pull: PullRequestRef | None = None
    pull_mode: CredentialMode = CredentialMode.UNSPECIFIED
    pull_over: bool = False
    late_until_s: float = 0.0
    sent_at_s: float = 0.0
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


def late_until(record: PromotionRecord, event: Message, *, after: Promotion, at_s: float) -> float:
    """Return until when requests of attempts that were given up may still take effect.

    An attempt ends when its pull request is told, or when it failed before it changed anything;
    else its time has to pass. What is heard of one that was given up says that it is still made.
    """
    before = record.promotion
    if isinstance(event, PullRequestOpened):
        return 0.0
    was_trying = before.state is State.OPENING
    given_up = record.late_until_s > 0 and not was_trying
    if isinstance(event, PullRequestFailed) and (given_up or after is not before):
        return _late_after_failure(record, event, at_s=at_s)
    was_given_up_now = was_trying and after.state is not State.OPENING
    is_still_tried = given_up and isinstance(event, PullRequestProgressed)
    return at_s + ATTEMPT_S if was_given_up_now or is_still_tried else record.late_until_s


def _late_after_failure(record: PromotionRecord, event: PullRequestFailed, *, at_s: float) -> float:
    began = event.step is not OpeningStep.UNSPECIFIED or event.reason not in _SENT_NOTHING
    if began and event.step not in _OPENS_NOTHING:
        return at_s + SENT_S
    # Of an earlier attempt, or an earlier try, the time still runs.
    sent_until_s = record.sent_at_s + SENT_S if record.sent_at_s else 0.0
    return max(record.late_until_s, sent_until_s)


def sent_at(record: PromotionRecord, event: Message, *, at_s: float, is_new_try: bool) -> float:
    """Return when the current attempt was last about to send for a pull request."""
    if isinstance(event, PullRequestOpened) or is_new_try:
        return 0.0
    is_sending = isinstance(event, PullRequestProgressed) and event.step is OpeningStep.OPENING
    return at_s if is_sending else record.sent_at_s


class Projection:
    """Promotions by their ids, and how far the stream was applied.

    A stream made anew counts from one again: only with the time is a sequence a place.
    """

    def __init__(self, *, clock: Clock, monotonic: MonotonicClock) -> None:
        self._clock = clock
        self._monotonic = monotonic
        # Of what is read of the past, only the wall clock can say how old it is.
        self.is_live = False
        self._sequence = 0
        self._recorded_at = _LONG_AGO
        self._records: dict[str, PromotionRecord] = {}
        self._lanes: dict[Lane, OrderedDict[str, None]] = {}
        self._moved = asyncio.Condition()

    def get(self, promotion_id: str) -> PromotionRecord | None:
        return self._records.get(promotion_id)

    def records(self) -> tuple[PromotionRecord, ...]:
        return tuple(self._records.values())

    async def apply(self, received: ReceivedEvent) -> None:
        age_s = 0.0 if self.is_live else (self._clock() - received.recorded_at).total_seconds()
        self.fold(received.message, trace=received.trace, age_s=max(age_s, 0.0))
        async with self._moved:
            self._sequence = received.sequence
            # The server's clock may step back; what was reached stays reached.
            self._recorded_at = max(self._recorded_at, received.recorded_at)
            self._moved.notify_all()

    async def reached(self, received: ReceivedEvent, *, timeout_s: float) -> None:
        """Wait until the stream was applied as far as this.

        Raises:
            TimeoutError: it was not in time.

        """

        def is_applied() -> bool:
            return self._sequence >= received.sequence and self._recorded_at >= received.recorded_at

        async with asyncio.timeout(timeout_s), self._moved:
            await self._moved.wait_for(is_applied)

    def restart(self) -> None:
        """Forget everything: the stream was made anew, and its events come again."""
        self._sequence, self._recorded_at = 0, _LONG_AGO
        self._records.clear()
        self._lanes.clear()

    def fold(self, event: Message, *, trace: Mapping[str, str], age_s: float = 0.0) -> None:
        """Take in an event; one that was taken in already changes nothing."""
        ref: PromotionRef | None = getattr(event, "promotion", None)
        if ref is None:
            return
        record = self._records.get(ref.promotion_id)
        after = advance(record.promotion if record else None, event)
        if after is None:
            return
        if record is None:
            record = PromotionRecord(promotion=after, trace=dict(trace))
            self._remember(record)
        at_s = self._monotonic() - age_s
        is_new_try = after.attempt != record.promotion.attempt
        record = replace(
            record,
            promotion=after,
            late_until_s=late_until(record, event, after=after, at_s=at_s),
            sent_at_s=sent_at(record, event, at_s=at_s, is_new_try=is_new_try),
            heard_at_s=at_s,
        )
        if isinstance(event, ApprovalGranted) and event.forge_user is not None:
            record = replace(record, delegates=record.delegates | {event.forge_user.id})
        if isinstance(event, PullRequestOpened):
            is_over = record.pull_over and record.is_about(event.pull_request)
            record = replace(
                record, pull=event.pull_request, pull_mode=event.mode, pull_over=is_over
            )
        elif isinstance(event, PullRequestMerged | PullRequestClosed):
            record = replace(record, pull=record.pull or event.pull_request, pull_over=True)
        elif isinstance(event, PullRequestUpdated) and after.state is State.OPEN:
            record = replace(record, pull_over=False)
        self._records[ref.promotion_id] = record

    def _remember(self, record: PromotionRecord) -> None:
        lane = self._lanes.setdefault(record.lane, OrderedDict())
        lane[record.promotion_id] = None
        while len(lane) > PROMOTIONS_PER_ENVIRONMENT_MAX:
            oldest, _ = lane.popitem(last=False)
            self._records.pop(oldest, None)

    def previous_pulls(self, record: PromotionRecord) -> tuple[int, ...]:
        """Return pull requests that may still be open in the lane, newest first."""
        ours = _repository(record.promotion.request)
        numbers = [
            other.pull.number
            for other in self._others(record)
            if other.pull is not None
            and not other.pull_over
            and other.promotion.state in _LEFT_OPEN
            and _repository(other.promotion.request) == ours
        ]
        return tuple(sorted(numbers, reverse=True)[:PREVIOUS_MAX])

    def waits_until_s(self, record: PromotionRecord) -> float:
        """Return when the lane is free for the record's attempt, by the monotonic clock.

        It waits for older promotions that are being opened, and for whatever was given up.
        """
        ours = _repository(record.promotion.request)
        until_s = record.late_until_s
        is_older = True
        for promotion_id in self._lanes.get(record.lane, ()):
            other = self._records[promotion_id]
            if other.promotion_id == record.promotion_id:
                is_older = False
            elif _repository(other.promotion.request) == ours:
                until_s = max(until_s, other.late_until_s)
                if is_older and other.promotion.state is State.OPENING:
                    until_s = max(until_s, other.heard_at_s + ATTEMPT_S)
        return until_s

    def opens_in_s(self, record: PromotionRecord) -> float:
        """Return how long what an earlier try of the same attempt sent may still take."""
        ends_at_s = record.sent_at_s + SENT_S if record.sent_at_s else 0.0
        return max(ends_at_s - self._monotonic(), 0.0)

    async def freed(self, record: PromotionRecord, *, timeout_s: float) -> float:
        """Wait for the lane to be free, but not longer; return how long it still is not."""

        def is_free() -> bool:
            return self.waits_until_s(record) <= self._monotonic()

        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(is_free)
        except TimeoutError:
            return self.waits_until_s(record) - self._monotonic()
        return 0.0

    def _others(self, record: PromotionRecord) -> list[PromotionRecord]:
        ids = self._lanes.get(record.lane, {}).keys() - {record.promotion_id}
        return [self._records[i] for i in ids]


def _repository(request: PromotionRequested) -> tuple[str, str, str]:
    to = request.destination
    return to.origin, to.owner, to.repository
