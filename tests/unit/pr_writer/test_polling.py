"""A merge that somebody told is asked about once, where a credential may be used for that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from doubles import stories as s

from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    CredentialMode,
    EnvironmentObserved,
    Gate,
    GateState,
    OpeningStep,
    PipelineObserved,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestUpdated,
)
from countersign.contracts.promotion import State
from countersign.pr_writer.jobs.model import FollowJob, Job, LookJob, SecretSource
from countersign.pr_writer.jobs.outcomes import Fate, Followed, Looked, SeenPull
from countersign.pr_writer.parent.announcing import Announcer
from countersign.pr_writer.parent.dispatching import AccessBook
from countersign.pr_writer.parent.looking import Looking
from countersign.pr_writer.parent.polling import CONFIRMED_AFTER_S, Polling
from countersign.pr_writer.parent.projection import Projection

LATER_S = CONFIRMED_AFTER_S + 1


class Forgetful:
    """Takes what is published."""

    def __init__(self) -> None:
        self.events: list[Message] = []

    async def publish(self, event: Message, *, message_id: str) -> None:
        assert message_id
        self.events.append(event)


@dataclass
class Answering:
    """Executors that answer every question alike."""

    fate: Fate
    asked: list[FollowJob | LookJob] = field(default_factory=list)

    async def run(self, job: Job) -> Followed | Looked:
        assert isinstance(job, FollowJob | LookJob)
        self.asked.append(job)
        if isinstance(job, FollowJob):
            return Followed(fate=self.fate, version="v")
        pull = SeenPull(attempt=1, pull_request=s.opened().pull_request, fate=self.fate)
        return Looked(pulls=(pull,))


@dataclass
class World:
    projection: Projection
    publisher: Forgetful
    executors: Answering
    polling: Polling


def world(
    fate: Fate, *, mode: CredentialMode = CredentialMode.STORED, end: Message | None = None
) -> World:
    """A promotion that was told to be merged, at second zero, or ended otherwise."""
    opened = s.opened().model_copy(update={"mode": mode})
    origin = s.DESTINATION.origin
    forges = ForgeList(forges=(Forge(name="Forge", kind="github", origin=origin),))
    merged = s.merged().model_copy(update={"merged_at": s.START})
    now = s.START + timedelta(minutes=10)
    projection = Projection(clock=lambda: now, monotonic=lambda: 0.0)
    for event in (s.requested(mode=CredentialMode.STORED), opened, end or merged):
        projection.fold(event, trace={})
    publisher, executors = Forgetful(), Answering(fate)
    announcer = Announcer(publisher, clock=lambda: now)  # type: ignore[arg-type]
    accesses = AccessBook(forges, secrets=SecretSource(folder="x"))
    looking = Looking(
        projection,
        dispatcher=executors,  # type: ignore[arg-type]
        announcer=announcer,
        accesses=accesses,
        monotonic=lambda: 0.0,
    )
    polling = Polling(
        projection,
        dispatcher=executors,  # type: ignore[arg-type]
        announcer=announcer,
        looking=looking,
        accesses=accesses,
    )
    return World(projection, publisher, executors, polling)


async def test_forged_merge_is_found_out() -> None:
    made = world(Fate.OPEN)

    await made.polling.poll(now_s=LATER_S)

    (event,) = made.publisher.events
    assert isinstance(event, PullRequestUpdated)
    made.projection.fold(event, trace={})
    (record,) = made.projection.records()
    assert (record.promotion.state, record.pull_over) == (State.OPEN, False)


async def test_true_merge_is_asked_about_once() -> None:
    made = world(Fate.MERGED)

    await made.polling.poll(now_s=LATER_S)
    await made.polling.poll(now_s=LATER_S)

    assert len(made.executors.asked) == 1
    assert made.publisher.events == []


async def test_merge_is_not_doubted_while_a_forge_may_be_behind() -> None:
    made = world(Fate.OPEN)

    await made.polling.poll(now_s=CONFIRMED_AFTER_S)

    assert made.executors.asked == []


@pytest.mark.parametrize("mode", [CredentialMode.DELEGATED, CredentialMode.UNSPECIFIED])
async def test_nobody_is_asked_without_a_credential_for_it(mode: CredentialMode) -> None:
    made = world(Fate.OPEN, mode=mode)

    await made.polling.poll(now_s=LATER_S)

    assert made.executors.asked == []


async def test_pull_request_that_was_given_up_is_closed_once_where_a_token_can() -> None:
    made = world(Fate.CLOSED, end=s.rejected())

    await made.polling.poll(now_s=LATER_S)
    await made.polling.poll(now_s=LATER_S)

    (job,) = made.executors.asked
    assert isinstance(job, LookJob)
    assert job.closes
    (event,) = made.publisher.events
    assert isinstance(event, PullRequestClosed)
    (record,) = made.projection.records()
    assert (record.promotion.state, record.pull_over) == (State.REJECTED, True)


async def test_pull_request_of_a_person_that_was_given_up_is_left_to_people() -> None:
    made = world(Fate.CLOSED, end=s.rejected(), mode=CredentialMode.DELEGATED)

    await made.polling.poll(now_s=LATER_S)

    assert made.executors.asked == []


@pytest.mark.parametrize("fate", [Fate.MERGED, Fate.CLOSED])
async def test_end_that_nobody_told_is_asked_for_once_its_content_runs(fate: Fate) -> None:
    made = world(fate, end=s.completed())

    await made.polling.poll(now_s=CONFIRMED_AFTER_S)
    assert made.executors.asked == []
    await made.polling.poll(now_s=LATER_S)
    await made.polling.poll(now_s=LATER_S)

    assert [type(job) for job in made.executors.asked] == [LookJob]
    kind = PullRequestMerged if fate is Fate.MERGED else PullRequestClosed
    assert [type(event) for event in made.publisher.events] == [kind]


def gate(state: GateState) -> PipelineObserved:
    request = s.requested()
    ref = request.promotion
    here = EnvironmentObserved(
        name=ref.environment,
        gate=Gate(state=state, promotion_id=ref.promotion_id, message="staging is not healthy"),
    )
    return PipelineObserved(pipeline=ref.pipeline, app=request.app, environments=(here,))


@dataclass(frozen=True)
class Received:
    message: Message
    sequence: int = 99
    recorded_at: datetime = s.START
    deliveries: int = 1
    trace: Mapping[str, str] = field(default_factory=dict)


def warnings(made: World) -> list[str]:
    return [job.warning for job in made.executors.asked if isinstance(job, LookJob)]


async def test_open_pull_request_is_told_once_that_its_way_is_blocked() -> None:
    made = world(Fate.OPEN, end=s.progressed(OpeningStep.OPENING))
    await made.polling.poll(now_s=LATER_S)
    assert warnings(made) == []
    await made.projection.apply(Received(gate(GateState.BLOCKED)))

    await made.polling.poll(now_s=LATER_S)
    await made.polling.poll(now_s=LATER_S)

    assert warnings(made) == ["staging is not healthy"]
    told = [e for e in made.publisher.events if isinstance(e, PullRequestUpdated) and e.warned]
    assert len(told) == 1
    # Whoever starts anew knows it from the stream.
    fresh = world(Fate.OPEN, end=told[0])
    await fresh.projection.apply(Received(gate(GateState.BLOCKED)))
    await fresh.polling.poll(now_s=LATER_S)
    assert warnings(fresh) == []


async def test_nothing_is_said_where_the_way_is_free_again_or_a_person_opened_it() -> None:
    free = world(Fate.OPEN, end=s.progressed(OpeningStep.OPENING))
    await free.projection.apply(Received(gate(GateState.BLOCKED)))
    await free.projection.apply(Received(gate(GateState.PENDING)))
    theirs = world(Fate.OPEN, end=s.progressed(OpeningStep.OPENING), mode=CredentialMode.DELEGATED)
    await theirs.projection.apply(Received(gate(GateState.BLOCKED)))

    for made in (free, theirs):
        await made.polling.poll(now_s=LATER_S)

        assert warnings(made) == []
