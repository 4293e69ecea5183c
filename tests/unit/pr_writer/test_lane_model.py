"""One lane, one pull request, and nothing lost, whatever is late.

A model in virtual time: a call that writes takes effect at any time after it was sent, or never,
and is answered or not; executors and writers die; the bus stands still; people merge and close.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from doubles.lane_world import LaneWorld, Lateness
from doubles.virtual_time import VirtualLoop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from countersign.contracts.messages import (
    FailureReason,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
)
from countersign.contracts.promotion import State
from countersign.dialects.repositories.pulls import PullState
from countersign.pr_writer.jobs.frames import EXECUTOR_S, LATE_S
from countersign.pr_writer.parent.polling import STUCK_S

LATENESS = st.builds(
    Lateness,
    effect_s=st.sampled_from([None, 0.2, 3.0, 9.0, 20.0, float(LATE_S - 1)]),
    is_answered=st.booleans(),
)
# Longer than everything that may still be waited for.
IN_THE_END_S = 4_000.0


class Lane(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.world = LaneWorld()
        self.merged: set[int] = set()

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.run(self.world.begin())
        self.run(self.world.release())

    @rule()
    def release(self) -> None:
        self.run(self.world.release())

    @rule(seconds=st.sampled_from([0.3, 1.0, 5.0, 15.0, 40.0, 110.0]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(late=st.lists(LATENESS, min_size=1, max_size=3))
    def be_late(self, late: list[Lateness]) -> None:
        self.world.forge.lateness.extend(late)

    @rule(index=st.integers(0, 1))
    def kill_executors(self, index: int) -> None:
        self.world.kill_executors(index)
        self.run(asyncio.sleep(0))

    @rule(index=st.integers(0, 1))
    def restart(self, index: int) -> None:
        self.run(self.world.restart(index))

    @rule(seconds=st.sampled_from([7.0, 30.0]))
    def lose_the_bus(self, seconds: float) -> None:
        self.world.down_until_s = self.loop.time() + seconds

    @rule()
    def lose_consent(self) -> None:
        self.run(self.world.lose_consent())

    @rule()
    def retry(self) -> None:
        self.run(self.world.retry())

    @rule()
    def merge(self) -> None:
        self.run(self._merge())

    async def _merge(self) -> None:
        for number in self.world.forge.open_numbers()[-1:]:
            self.world.forge.merge(number)
            self.merged.add(number)

    @rule()
    def close(self) -> None:
        self.run(self._close())

    async def _close(self) -> None:
        for number in self.world.forge.open_numbers()[-1:]:
            self.world.forge.close(number)

    @invariant()
    def there_is_one_pull_request(self) -> None:
        assert self.world.twice == []

    def teardown(self) -> None:
        world = self.world
        try:
            world.forge.lateness.clear()
            self.run(asyncio.sleep(IN_THE_END_S))
            assert world.twice == []
            self._check_states()
            self._check_record()
        finally:
            world.end()
            self.run(asyncio.sleep(EXECUTOR_S))
            self.loop.close()

    def _check_states(self) -> None:
        """Nothing is left being opened, and nothing open that is over."""
        world = self.world
        if world.current is None:
            return
        ours = world.current.promotion.promotion_id
        assert world.state(ours) is not State.OPENING
        for number in world.forge.open_numbers():
            assert ours in world.forge.pulls[number - 1].head_branch

    def _check_record(self) -> None:
        """All that happened at the forge was told, each thing once, and in its order."""
        world = self.world
        names = [type(d.message).__name__ for d in world.stream]
        opened = {e.pull_request.number for e in world.told(PullRequestOpened)}
        assert {p.number for p in world.forge.pulls} <= opened, names
        merged = [e.pull_request.number for e in world.told(PullRequestMerged)]
        assert len(merged) == len(set(merged))
        for number, pull in enumerate(world.forge.pulls, start=1):
            if pull.state is PullState.OPEN:
                continue
            ends = [
                d.sequence
                for d in world.stream
                if isinstance(d.message, PullRequestMerged | PullRequestClosed)
                and d.message.pull_request.number == number
            ]
            begins = [
                d.sequence
                for d in world.stream
                if isinstance(d.message, PullRequestOpened)
                and d.message.pull_request.number == number
            ]
            assert not ends or begins[0] < ends[0]


Lane.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLane = Lane.TestCase


@pytest.fixture
def lane() -> Lane:
    made = Lane()
    made.begin()
    return made


def test_promotion_whose_calls_are_answered_is_opened_at_once(lane: Lane) -> None:
    lane.wait(3)

    assert lane.world.forge.open_numbers() == [1]
    lane.teardown()


def test_pull_request_that_opens_late_keeps_the_newer_one_waiting_and_is_closed(
    lane: Lane,
) -> None:
    lane.be_late([Lateness(), Lateness(effect_s=20, is_answered=False)])
    lane.wait(1)
    lane.release()
    lane.wait(150)

    assert [p.state for p in lane.world.forge.pulls] == [PullState.CLOSED, PullState.OPEN]
    lane.teardown()


def test_executor_that_dies_is_followed_only_when_what_it_sent_is_over(lane: Lane) -> None:
    lane.be_late([Lateness(), Lateness(effect_s=40, is_answered=False)])
    lane.wait(1.5)
    for index in (0, 1):
        lane.kill_executors(index)
    lane.wait(140)

    assert lane.world.forge.open_numbers() == [1]
    lane.teardown()


def test_consent_lost_before_anything_was_sent_holds_up_no_other(lane: Lane) -> None:
    for writer in lane.world.writers:
        writer.executors.kill()
    lane.lose_consent()
    lane.wait(5)

    assert lane.world.forge.open_numbers() == [1]
    lane.teardown()


def test_consent_lost_while_its_pull_request_is_sent_for_is_followed_when_that_is_over(
    lane: Lane,
) -> None:
    lane.be_late([Lateness(), Lateness(effect_s=40, is_answered=False)])
    lane.wait(1.5)
    lane.lose_consent()
    lane.wait(30)
    opened_so_far = lane.world.forge.open_numbers()
    lane.wait(110)

    assert (opened_so_far, lane.world.forge.open_numbers()) == ([], [1])
    lane.teardown()


def test_consent_given_again_after_an_earlier_attempt_waits_for_that() -> None:
    """That one has another branch, which is no lock for this one."""
    lane = Lane()
    lane.world.retries = False
    lane.be_late([Lateness(), Lateness(effect_s=40, is_answered=False)])
    lane.begin()
    lane.wait(15)
    lane.retry()
    lane.lose_consent()
    lane.wait(150)

    assert lane.world.forge.open_numbers() == [1]
    assert lane.world.twice == []
    lane.teardown()


def test_pull_request_merged_before_it_was_told_is_told_in_order(lane: Lane) -> None:
    lane.be_late([Lateness(), Lateness(is_answered=False)])
    lane.wait(5)
    lane.merge()
    lane.wait(200)

    names = [type(d.message) for d in lane.world.stream]
    assert names.index(PullRequestOpened) < names.index(PullRequestMerged)
    assert lane.world.told(PullRequestFailed) == []
    lane.teardown()


def test_attempt_of_a_job_that_is_given_up_fails_and_is_told(lane: Lane) -> None:
    delivered = lane.world.work

    lane.run(lane.world.writers[0].handling.on_given_up(delivered, "internal: KeyError"))

    (failed,) = lane.world.told(PullRequestFailed)
    assert failed.promotion == delivered.message.promotion  # type: ignore[attr-defined]
    assert failed.reason is FailureReason.INTERNAL
    lane.teardown()


def test_attempt_that_is_settled_is_not_given_up(lane: Lane) -> None:
    lane.wait(3)

    lane.run(lane.world.writers[0].handling.on_given_up(lane.world.work, "late"))

    assert lane.world.told(PullRequestFailed) == []
    lane.teardown()


def test_attempt_that_nobody_makes_any_more_is_failed_in_the_end(lane: Lane) -> None:
    """Its message is gone: a stream was restored, or the server left it behind."""
    for writer in lane.world.writers:
        writer.die()
        writer.executors.kill()
    lane.world.deaf = True
    lane.run(lane.world.restart(0))
    lane.run(lane.world.restart(1))

    lane.wait(STUCK_S + 2 * 30)

    (failed,) = lane.world.told(PullRequestFailed)
    assert failed.reason is FailureReason.INTERNAL
    lane.teardown()


def test_pull_request_that_opens_after_its_attempt_failed_is_told() -> None:
    """Tries are over, and the last one was not answered."""
    lane = Lane()
    lane.world.retries = False
    lane.be_late([Lateness(), Lateness(effect_s=40, is_answered=False)])
    lane.begin()
    lane.wait(300)

    kinds = [type(d.message) for d in lane.world.stream]
    assert kinds.index(PullRequestFailed) < kinds.index(PullRequestOpened)
    assert lane.world.state(lane.world.work.message.promotion.promotion_id) is State.OPEN  # type: ignore[attr-defined]
    lane.teardown()
