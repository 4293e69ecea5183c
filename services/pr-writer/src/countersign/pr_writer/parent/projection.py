"""Folds the stream into what this service knows of all promotions."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalGranted,
    GateState,
    PipelineDeleted,
    PipelineObserved,
    PromotionRef,
    PromotionRequested,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestUpdated,
)
from countersign.contracts.promotion import OVER, Promotion, State
from countersign.pr_writer.jobs.model import PREVIOUS_MAX
from countersign.pr_writer.parent.interfaces import Clock, MonotonicClock, ReceivedEvent
from countersign.pr_writer.parent.records import (
    ATTEMPT_S,
    Lane,
    PromotionRecord,
    late,
)

# Each costs a question to the forge.
UNCERTAIN_MAX: Final = 4
# A comment that is forgotten is made once more.
WARNED_MAX: Final = 10_000
PIPELINES: Final = "PIPELINES"
# Late events are about the newest few of an environment; older ones change nothing any more.
PROMOTIONS_PER_ENVIRONMENT_MAX: Final = 20
_LONG_AGO: Final = datetime.fromtimestamp(0, tz=UTC)
_LEFT_OPEN: Final = frozenset({State.OPEN, State.SUPERSEDED, State.REJECTED, State.COMPLETED})


class BlockedGates:
    """Promotions that are blocked at their gates, and those whose pull request says so already.

    Grows with the number of Pipelines, which the cluster bounds.
    """

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str], dict[str, str]] = {}
        self._warned: BoundedDict[tuple[str, int], None] = BoundedDict(WARNED_MAX)

    def apply(self, event: PipelineObserved | PipelineDeleted) -> None:
        key = (event.pipeline.namespace, event.pipeline.name)
        self._messages.pop(key, None)
        if isinstance(event, PipelineDeleted):
            return
        gates = (e.gate for e in event.environments if e.gate is not None)
        blocked = [g for g in gates if g.state is GateState.BLOCKED and g.promotion_id]
        if blocked:
            self._messages[key] = {g.promotion_id: g.message for g in blocked}

    def warn(self, ref: PromotionRef) -> None:
        """Remember that the pull request of an attempt says it."""
        self._warned[ref.promotion_id, max(1, ref.attempt)] = None

    def forget(self) -> None:
        """Forget the gates: their stream was made anew."""
        self._messages.clear()

    def why(self, promotion: Promotion) -> str:
        """Say why a promotion is blocked; empty where it is not, or where that is said already."""
        ref = promotion.ref
        if (ref.promotion_id, ref.attempt) in self._warned:
            return ""
        known = self._messages.get((ref.pipeline.namespace, ref.pipeline.name), {})
        return known.get(ref.promotion_id, "")


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
        self.blocked = BlockedGates()

    def get(self, promotion_id: str) -> PromotionRecord | None:
        return self._records.get(promotion_id)

    def records(self) -> tuple[PromotionRecord, ...]:
        return tuple(self._records.values())

    async def apply(self, received: ReceivedEvent) -> None:
        if isinstance(received.message, PipelineObserved | PipelineDeleted):
            # Of another stream, which counts for itself.
            self.blocked.apply(received.message)
            return
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

    def restart(self, stream: str) -> None:
        """Forget what a stream told: it was made anew, and its events come again."""
        if stream == PIPELINES:
            self.blocked.forget()
            return
        self._sequence, self._recorded_at = 0, _LONG_AGO
        self._records.clear()
        self._lanes.clear()

    def fold(self, event: Message, *, trace: Mapping[str, str], age_s: float = 0.0) -> None:
        """Take in an event; one that was taken in already changes nothing."""
        ref: PromotionRef | None = getattr(event, "promotion", None)
        if ref is None:
            return
        if isinstance(event, PullRequestUpdated) and event.warned:
            self.blocked.warn(ref)
        record = self._records.get(ref.promotion_id)
        after = advance(record.promotion if record else None, event)
        if after is None:
            return
        if record is None:
            record = PromotionRecord(promotion=after, trace=dict(trace))
            self._remember(record)
        at_s = self._monotonic() - age_s
        record = replace(
            record,
            promotion=after,
            late=late(record, event, after=after, at_s=at_s),
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

    def uncertain(self, record: PromotionRecord) -> tuple[PromotionRecord, ...]:
        """Return promotions of the lane whose last attempt may have opened something, untold.

        With a person's token nobody may look once it is revoked; the next who comes may.
        """
        ours = _repository(record.promotion.request)
        found = (
            other
            for other in self._others(record)
            if other.pull is None
            and other.late.sent_at_s != 0
            and other.promotion.state in OVER
            and not other.may_be_looked_for
            and _repository(other.promotion.request) == ours
        )
        return tuple(sorted(found, key=lambda r: -r.late.sent_at_s)[:UNCERTAIN_MAX])

    def waits_until_s(self, record: PromotionRecord) -> float:
        """Return when the lane is free for the record's attempt, by the monotonic clock.

        It waits for older promotions that are being opened, and for whatever was given up on
        another branch than its own.
        """
        ours = _repository(record.promotion.request)
        until_s = record.late.earlier_until_s
        is_older = True
        for promotion_id in self._lanes.get(record.lane, ()):
            other = self._records[promotion_id]
            if other.promotion_id == record.promotion_id:
                is_older = False
            elif _repository(other.promotion.request) == ours:
                until_s = max(until_s, other.late.until_s)
                if is_older and other.promotion.state is State.OPENING:
                    until_s = max(until_s, other.heard_at_s + ATTEMPT_S)
        return until_s

    def opens_in_s(self, record: PromotionRecord) -> float:
        """Return how long what an earlier try of the same attempt sent may still take."""
        return max(record.late.sent_until_s - self._monotonic(), 0.0)

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
