"""The agenda: what is looked at now, what later, and that neither is lost."""

import asyncio

import pytest

from countersign.kube.objects import ObjectKey
from countersign.watcher.observation.agenda import Agenda


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key(name: str) -> ObjectKey:
    return ObjectKey(group="g", kind="K", namespace="shop", name=name)


def test_what_was_put_on_twice_is_taken_once(clock: Clock) -> None:
    agenda = Agenda(monotonic_s=clock)
    agenda.add(key("b"), key("a"))
    agenda.add(key("a"))

    assert agenda.take(most=9) == [key("a"), key("b")]
    assert agenda.take(most=9) == []


def test_no_more_is_taken_than_asked_for(clock: Clock) -> None:
    agenda = Agenda(monotonic_s=clock)
    agenda.add(*(key(name) for name in "abc"))

    assert agenda.take(most=2) == [key("a"), key("b")]
    assert agenda.take(most=2) == [key("c")]


def test_later_is_due_when_its_time_has_come_and_the_earlier_time_counts(clock: Clock) -> None:
    agenda = Agenda(monotonic_s=clock)
    agenda.add_later(key("a"), after_s=9)
    agenda.add_later(key("a"), after_s=5)
    agenda.add_later(key("a"), after_s=7)

    clock.now_s = 4.9
    assert agenda.take(most=9) == []
    clock.now_s = 5.0
    assert agenda.take(most=9) == [key("a")]
    clock.now_s = 99.0
    assert agenda.take(most=9) == []


def test_what_is_put_off_waits_however_early_it_was_due(clock: Clock) -> None:
    agenda = Agenda(monotonic_s=clock)
    agenda.add_later(key("a"), after_s=1)
    agenda.put_off(key("a"), after_s=60)

    clock.now_s = 59.0
    assert agenda.take(most=9) == []


async def test_waiting_ends_when_somebody_wakes_it(clock: Clock) -> None:
    agenda = Agenda(monotonic_s=clock)
    agenda.add_later(key("a"), after_s=1e6)
    waiting = asyncio.ensure_future(agenda.wait())
    await asyncio.sleep(0)

    agenda.wake()

    async with asyncio.timeout(5):
        await waiting
