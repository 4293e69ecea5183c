"""Whatever the stream holds, the other promotions are opened, followed and given up in time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from doubles import stories as s
from doubles.extremes import events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    CredentialMode,
    PipelineRef,
    PromotionRef,
    PullRequestFailed,
    PullRequestOpened,
)
from countersign.pr_writer.jobs.model import FollowJob, Job, LookJob, SecretSource
from countersign.pr_writer.jobs.outcomes import Fate, Followed, Looked, Opened, Outcome, SeenPull
from countersign.pr_writer.parent.announcing import Announcer
from countersign.pr_writer.parent.dispatching import AccessBook
from countersign.pr_writer.parent.handling import Handling
from countersign.pr_writer.parent.looking import Looking
from countersign.pr_writer.parent.polling import STUCK_S, Polling
from countersign.pr_writer.parent.projection import Projection

NOW = s.START + timedelta(minutes=10)
OTHER = PromotionRef(
    promotion_id="b" * 16,
    pipeline=PipelineRef(namespace="bank", name="ledger", uid="uid-2", generation=1),
    environment="prod",
    attempt=1,
)


@dataclass(frozen=True)
class Received:
    message: Message
    sequence: int
    recorded_at: datetime = NOW
    deliveries: int = 1
    trace: Mapping[str, str] = field(default_factory=dict)


class Executors:
    """Opens what is to be opened, and finds everything as it was."""

    async def run(self, job: Job) -> Outcome:
        pull = SeenPull(attempt=1, pull_request=s.opened().pull_request, fate=Fate.OPEN)
        if isinstance(job, FollowJob):
            return Followed(fate=Fate.OPEN, version="v")
        return Looked(pulls=()) if isinstance(job, LookJob) else Opened(pull=pull)


class Taking:
    def __init__(self) -> None:
        self.events: list[Message] = []

    async def publish(self, event: Message, *, message_id: str) -> None:
        assert message_id
        self.events.append(event)


class Service:
    """The parent, without a bus and without executors of its own."""

    def __init__(self, executors: Executors | None = None) -> None:
        self.bus, self.now_s = Taking(), 0.0
        self.projection = Projection(clock=lambda: NOW, monotonic=lambda: self.now_s)
        forges = tuple(
            Forge(name=name, kind="github", origin=origin)
            for name, origin in (("ours", s.DESTINATION.origin), ("theirs", "https://github.com"))
            if name == "ours" or origin != s.DESTINATION.origin
        )
        parts = {
            "dispatcher": executors or Executors(),
            "announcer": Announcer(self.bus, clock=lambda: NOW),  # type: ignore[arg-type]
            "accesses": AccessBook(ForgeList(forges=forges), secrets=SecretSource(folder="x")),
        }
        looking = Looking(self.projection, monotonic=lambda: self.now_s, **parts)  # type: ignore[arg-type]
        self.handling = Handling(self.projection, looking=looking, **parts)  # type: ignore[arg-type]
        self.polling = Polling(self.projection, looking=looking, **parts)  # type: ignore[arg-type]


@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(heard=st.lists(events(), max_size=6))
async def test_events_with_extreme_values_end_nothing(heard: list[Message]) -> None:
    service = Service()
    for sequence, event in enumerate(heard, 1):
        await service.projection.apply(Received(event, sequence))
    last = Received(s.requested(mode=CredentialMode.STORED, promotion=OTHER), len(heard) + 1)
    await service.projection.apply(last)

    await service.polling.poll(now_s=0.0)
    await service.handling.on_work(last)

    opened = [e for e in service.bus.events if isinstance(e, PullRequestOpened)]
    assert OTHER.promotion_id in {e.promotion.promotion_id for e in opened}


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(heard=st.lists(events(), max_size=6))
async def test_promotion_that_is_stuck_is_given_up_beside_any_other(heard: list[Message]) -> None:
    service = Service()
    for sequence, event in enumerate(heard, 1):
        await service.projection.apply(Received(event, sequence))
    stuck = Received(s.requested(mode=CredentialMode.STORED, promotion=OTHER), len(heard) + 1)
    await service.projection.apply(stuck)
    service.now_s = STUCK_S + 1

    await service.polling.poll(now_s=service.now_s)

    failed = [e for e in service.bus.events if isinstance(e, PullRequestFailed)]
    assert OTHER.promotion_id in {e.promotion.promotion_id for e in failed}
