"""The gateway notices that its bus is gone, and that it is back."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from countersign.gateway.interfaces import FeedStatus
from countersign.gateway.live.feed import BusFeed
from countersign.gateway.view.projection import STREAMS
from countersign.process.health import Health


class Paused(Exception):
    """The feed has looked once."""


class Bus:
    """Was silent, and answers again but about these streams."""

    def __init__(self, *, dead: frozenset[str] = frozenset()) -> None:
        self.silent = frozenset(STREAMS)
        self.asked: list[str] = []
        self._dead = dead

    @property
    def connected(self) -> bool:
        return not self.silent

    async def fullness(self, stream: str) -> float | None:
        self.asked.append(stream)
        if stream in self._dead:
            return None
        self.silent -= {stream}
        return 0.0


async def status_after_one_look(bus: Bus) -> FeedStatus:
    shown: list[FeedStatus] = []
    none: Any = None
    hub: Any = SimpleNamespace(show_status=shown.append)
    feed = BusFeed(
        projection=none,
        hub=hub,
        sessions=none,
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        health=Health(),
    )

    async def pause(_: float) -> None:
        raise Paused

    with pytest.raises(Paused):
        await feed.watch(bus, pause=pause)
    return shown[-1]


async def test_bus_that_answers_again_is_back_at_the_next_look() -> None:
    """And not once the round has come to each stream: people wait, and are refused meanwhile."""
    assert (await status_after_one_look(Bus())).connected


async def test_bus_of_which_a_stream_stays_silent_is_away_and_asked_once_a_look() -> None:
    bus = Bus(dead=frozenset(STREAMS))

    assert not (await status_after_one_look(bus)).connected
    assert len(bus.asked) == 1
