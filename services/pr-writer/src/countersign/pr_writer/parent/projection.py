"""Folds the stream into what this service knows of all promotions."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    CredentialMode,
    PromotionRef,
    PromotionRequested,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestRef,
)
from countersign.contracts.promotion import Promotion, State
from countersign.pr_writer.jobs.model import PREVIOUS_MAX
from countersign.pr_writer.parent.interfaces import ReceivedEvent

# Late events are about the newest few of an environment; older ones change nothing any more.
PROMOTIONS_PER_ENVIRONMENT_MAX: Final = 20
_LONG_AGO: Final = datetime.fromtimestamp(0, tz=UTC)
Lane = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A promotion, its trace, and its pull request even after the promotion itself is over."""

    promotion: Promotion
    trace: Mapping[str, str]
    pull: PullRequestRef | None = None
    pull_mode: CredentialMode = CredentialMode.UNSPECIFIED
    pull_over: bool = False

    @property
    def lane(self) -> Lane:
        return lane_of(self.promotion.request.promotion)


def lane_of(ref: PromotionRef) -> Lane:
    """Pipeline and environment, in which one pull request may be open."""
    return ref.pipeline.namespace, ref.pipeline.name, ref.environment


@dataclass
class Board:
    """Entries by promotion id, and how far the stream was applied.

    A stream that is made anew counts from one again, but its clock goes on: only with the time is
    a sequence a place.
    """

    _sequence: int = 0
    _recorded_at: datetime = _LONG_AGO
    _entries: dict[str, Entry] = field(default_factory=dict)
    _lanes: dict[Lane, OrderedDict[str, None]] = field(default_factory=dict)
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    def get(self, promotion_id: str) -> Entry | None:
        return self._entries.get(promotion_id)

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries.values())

    async def apply(self, received: ReceivedEvent) -> None:
        self.fold(received.message, trace=received.trace)
        async with self._moved:
            self._sequence, self._recorded_at = received.sequence, received.recorded_at
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
        """The stream was made anew; its events come again."""
        self._sequence, self._recorded_at = 0, _LONG_AGO
        self._entries.clear()
        self._lanes.clear()

    def fold(self, event: Message, *, trace: Mapping[str, str]) -> None:
        """Take in an event; one that was taken in already changes nothing."""
        ref: PromotionRef | None = getattr(event, "promotion", None)
        if ref is None:
            return
        entry = self._entries.get(ref.promotion_id)
        after = advance(entry.promotion if entry else None, event)
        if after is None:
            return
        if entry is None:
            entry = Entry(promotion=after, trace=dict(trace))
            self._remember(entry)
        entry = replace(entry, promotion=after)
        if isinstance(event, PullRequestOpened):
            entry = replace(entry, pull=event.pull_request, pull_mode=event.mode, pull_over=False)
        elif isinstance(event, PullRequestMerged | PullRequestClosed):
            entry = replace(entry, pull_over=True)
        self._entries[ref.promotion_id] = entry

    def _remember(self, entry: Entry) -> None:
        lane = self._lanes.setdefault(entry.lane, OrderedDict())
        lane[entry.promotion.promotion_id] = None
        while len(lane) > PROMOTIONS_PER_ENVIRONMENT_MAX:
            oldest, _ = lane.popitem(last=False)
            self._entries.pop(oldest, None)

    def previous_pulls(self, entry: Entry) -> tuple[int, ...]:
        """Pull requests that may still be open in the lane, newest first."""
        ours = _repository(entry.promotion.request)
        numbers = [
            other.pull.number
            for promotion_id in self._lanes.get(entry.lane, ())
            if promotion_id != entry.promotion.promotion_id
            and (other := self._entries[promotion_id]).pull is not None
            and not other.pull_over
            and other.promotion.state in {State.OPEN, State.SUPERSEDED}
            and _repository(other.promotion.request) == ours
        ]
        return tuple(sorted(numbers, reverse=True)[:PREVIOUS_MAX])


def _repository(request: PromotionRequested) -> tuple[str, str, str]:
    to = request.destination
    return to.origin, to.owner, to.repository
