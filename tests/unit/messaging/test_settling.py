"""Verdicts on messages, without a bus."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Never

import pytest
from doubles.made_up_refusals import MadeUp
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import DeadLetter
from countersign.dialects.refusals import ForgeRefusal
from countersign.messaging.envelope import Place
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.streams import DURABLES
from countersign.messaging.work.settling import (
    ACK,
    BACK_OFF_MAX_S,
    DEAD_BODY_BYTES_MAX,
    GIVE_UP_AGAIN_S,
    TERM,
    Again,
    Dead,
    Delivery,
    Done,
    back_off_s,
    dead_letter,
    expect,
    nak,
    settle,
    verdict,
)
from countersign.process.clocks import Clocks
from countersign.telemetry.metrics import exposition


def judge(error: Any, *, deliveries: Any = 1) -> Any:
    return verdict(error, deliveries=deliveries, tries_max=5, jitter=1.0)


def delivery(*, deliveries: Any = 1, body: Any = b"{}") -> Any:
    place = Place(
        stream="PROMOTIONS",
        sequence=7,
        recorded_at=datetime(2026, 11, 23, tzinfo=UTC),
        deliveries=deliveries,
    )
    return Delivery(
        durable="jobs",
        subject="countersign.v1.promotion.requested.a.b.c.d",
        reply="$JS.ACK.x",
        body=body,
        place=place,
        tries_max=5,
        timeout_s=10,
    )


CLOCKS = Clocks(random=lambda: 1.0)
DIED_AT = datetime(2026, 11, 30, tzinfo=UTC)


class Post:
    """Notes what was told to the bus."""

    def __init__(self, *, refusing: Any = None) -> None:
        self.settled = []
        self.buried = []
        self._refusing = refusing

    async def settle(self, reply: Any, payload: Any) -> None:
        self.settled.append((reply, payload))

    async def bury(self, letter: Any, *, message_id: Any) -> None:
        if self._refusing is not None:
            raise self._refusing
        self.buried.append((letter, message_id))


async def settled(
    handle: Any, *, post: Any = None, deliveries: Any = 1, give_up: Any = None
) -> Any:
    post, give_up = post or Post(), give_up or end_nothing
    await settle(
        delivery(deliveries=deliveries),
        post=post,
        handle=handle,
        give_up=give_up,
        clocks=Clocks(random=lambda: 1.0),
    )
    return post


async def end_nothing(_reason: str) -> None:
    pass


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, Done()),
        (Retryable(ForgeRefusal.RATE_LIMITED, "m", after_s=7), Again(7, ForgeRefusal.RATE_LIMITED)),
        (
            Retryable(ForgeRefusal.RATE_LIMITED, "m", after_s=-1),
            Again(0, ForgeRefusal.RATE_LIMITED),
        ),
        (
            Retryable(ForgeRefusal.RATE_LIMITED, "m", after_s=9e9),
            Again(BACK_OFF_MAX_S, ForgeRefusal.RATE_LIMITED),
        ),
        (Retryable(MadeUp.BUSY, "m"), Again(1.0, MadeUp.BUSY)),
        (Rejected(MadeUp.NO_MARKER, "m"), Dead(MadeUp.NO_MARKER)),
        (TimeoutError(), Again(1.0, BusRefusal.TIMEOUT)),
        (KeyError("k"), Dead(BusRefusal.INTERNAL, bug="KeyError")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_decides(error: Any, expected: Any) -> None:
    assert judge(error) == expected


def test_retryable_is_given_up_at_the_last_try() -> None:
    assert judge(Retryable(MadeUp.BUSY, "m"), deliveries=4) == Again(8.0, MadeUp.BUSY)
    assert judge(Retryable(MadeUp.BUSY, "m"), deliveries=5) == Dead(MadeUp.BUSY)


@given(st.integers(min_value=0, max_value=2000), st.floats(min_value=0, max_value=1))
def test_back_off_grows_within_its_bounds(deliveries: Any, jitter: Any) -> None:
    assert 0.5 <= back_off_s(deliveries, jitter) <= BACK_OFF_MAX_S
    assert back_off_s(deliveries, jitter) <= back_off_s(deliveries + 1, 1.0)


def test_delay_is_told_in_nanoseconds() -> None:
    assert nak(1.5) == b'-NAK {"delay": 1500000000}'
    assert nak(0) == b"-NAK"


async def test_done_is_acknowledged() -> None:
    async def handle() -> None:
        pass

    assert (await settled(handle)).settled == [("$JS.ACK.x", ACK)]


async def test_dead_letter_comes_before_the_end_of_the_message() -> None:
    async def handle() -> Never:
        raise Rejected(MadeUp.NO_MARKER, "m")

    post = await settled(handle)

    ((letter, message_id),) = post.buried
    assert (letter.reason, letter.sequence, letter.consumer) == ("no_marker", 7, "jobs")
    assert message_id == "dead-PROMOTIONS-7-1795392000.000000"
    assert post.settled == [("$JS.ACK.x", TERM + b" no_marker")]


@pytest.mark.parametrize(
    "error", [Retryable(BusRefusal.TIMEOUT, "m"), Rejected(BusRefusal.TOO_LARGE, "m")]
)
async def test_message_that_cannot_be_buried_is_kept(error: Any) -> None:
    async def handle() -> Never:
        raise Rejected(MadeUp.NO_MARKER, "m")

    post = await settled(handle, post=Post(refusing=error))

    ((_, payload),) = post.settled
    assert payload.startswith(b"-NAK")


async def test_message_that_nobody_ever_settled_is_not_run_again() -> None:
    """Its handler took the process with it each time."""
    runs = []

    async def handle() -> None:
        runs.append(1)

    post = await settled(handle, deliveries=6)

    assert runs == []
    assert post.buried[0][0].reason == "never_settled"


async def test_cancellation_settles_nothing() -> None:
    post, started = Post(), asyncio.Event()

    async def handle() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(settled(handle, post=post))
    await started.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert post.settled == []


def test_letter_fits_on_the_bus() -> None:
    letter = dead_letter(
        delivery(body=b"x" * 1_048_576), "r" * 1000, died_at=datetime(2026, 11, 30, tzinfo=UTC)
    )

    assert len(letter.body) == DEAD_BODY_BYTES_MAX
    assert len(letter.to_json()) < 1_048_576
    assert DeadLetter.from_json(letter.to_json()) == letter


async def test_matter_of_a_dead_letter_is_ended_before_it_is_buried() -> None:
    ended: list[str] = []
    post = Post()

    async def handle() -> None:
        raise Rejected(BusRefusal.REFUSED, "m")

    async def give_up(reason: str) -> None:
        assert post.buried == []
        ended.append(reason)

    await settled(handle, post=post, give_up=give_up)

    assert ended == ["refused"]
    assert len(post.buried) == 1


async def test_message_whose_matter_cannot_be_ended_for_now_comes_again() -> None:
    async def handle() -> None:
        raise Rejected(BusRefusal.REFUSED, "m")

    async def give_up(_reason: str) -> None:
        raise Retryable(BusRefusal.STREAM_REFUSED, "the stream is full")

    post = await settled(handle, give_up=give_up)

    assert post.buried == []
    assert post.settled == [("$JS.ACK.x", nak(GIVE_UP_AGAIN_S))]


async def test_bug_in_ending_a_matter_does_not_keep_its_message() -> None:
    async def handle() -> None:
        raise Rejected(BusRefusal.REFUSED, "m")

    async def give_up(_reason: str) -> None:
        raise KeyError("k")

    post = await settled(handle, give_up=give_up)

    assert len(post.buried) == 1


def test_what_may_become_of_the_work_of_a_durable_is_shown_before_there_is_any() -> None:
    expect(DURABLES["pr-writer-jobs"])

    shown = exposition().decode()
    assert 'handled_total{outcome="again",type="approval.granted"}' in shown
    assert 'dead_letters_total{durable="pr-writer-jobs",reason="internal"}' in shown
