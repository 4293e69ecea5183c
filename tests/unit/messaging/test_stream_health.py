"""Streams that fill up or refuse: said while there is time, and as long as it lasts."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from countersign.messaging.leader_reads import StreamState
from countersign.messaging.stream_health import (
    FILL_STOPS,
    FILL_WARNS,
    REFUSAL_COUNTS_S,
    StreamHealth,
    published_by,
)

PROMOTIONS = frozenset({"PROMOTIONS"})


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def state(fill: float) -> StreamState:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    return StreamState(
        created=at,
        first_sequence=1,
        last_sequence=9,
        last_at=at,
        bytes_stored=int(fill * 1000),
        bytes_max=1000,
    )


@pytest.mark.parametrize(
    ("service", "streams"),
    [
        ("gateway", set()),
        ("approval", {"PROMOTIONS", "TOKENS"}),
        ("auditor", {"TOKENS"}),
        ("pr-writer", {"PROMOTIONS", "TOKENS"}),
        ("watcher", {"PROMOTIONS", "PIPELINES"}),
    ],
)
def test_streams_that_a_service_publishes_to(service: str, streams: set[str]) -> None:
    assert published_by(service) == streams


@pytest.mark.parametrize(
    ("fill", "warned", "stopped"),
    [(0.5, False, False), (FILL_WARNS, True, False), (FILL_STOPS, True, True)],
    ids=["half", "warned", "stopped"],
)
def test_fill_is_said_before_it_stops_anybody(fill: float, *, warned: bool, stopped: bool) -> None:
    health = StreamHealth(PROMOTIONS, monotonic=Clock())

    health.looked_at("PROMOTIONS", state(fill))

    assert bool(health.filling()) is warned
    assert (health.reason() is not None) is stopped


def test_full_stream_of_others_stops_nobody() -> None:
    health = StreamHealth(PROMOTIONS, monotonic=Clock())

    health.looked_at("PIPELINES", state(1.0))

    assert health.reason() is None


def test_refusal_is_said_until_something_is_stored() -> None:
    health = StreamHealth(PROMOTIONS, monotonic=Clock())

    health.refused("PROMOTIONS", "maximum bytes exceeded")
    assert "PROMOTIONS" in (health.reason() or "")

    health.stored("PROMOTIONS")
    assert health.reason() is None


def test_refusal_of_long_ago_says_nothing_about_now() -> None:
    clock = Clock()
    health = StreamHealth(PROMOTIONS, monotonic=clock)
    health.refused("PROMOTIONS", "maximum bytes exceeded")

    clock.now_s = REFUSAL_COUNTS_S

    assert health.reason() is None


def test_stream_without_a_limit_is_never_full() -> None:
    health = StreamHealth(PROMOTIONS, monotonic=Clock())
    unlimited = state(1.0).__class__(**{**vars(state(1.0)), "bytes_max": -1})

    health.looked_at("PROMOTIONS", unlimited)

    assert health.reason() is None


def test_stream_that_acknowledges_nothing_is_told_until_it_does() -> None:
    clock = Clock()
    health = StreamHealth(PROMOTIONS, monotonic=clock)

    health.unanswered("PROMOTIONS")
    once = health.reason()
    health.unanswered("PROMOTIONS")
    twice = health.reason()
    health.stored("PROMOTIONS")
    health.unanswered("PROMOTIONS")

    assert (once, health.reason()) == (None, None)
    assert twice is not None
    assert "disk" in twice
