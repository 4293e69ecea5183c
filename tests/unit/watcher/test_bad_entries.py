"""Whatever the streams hold, Pipelines are looked at, their status is made, and steps are told."""

from doubles.extremes import can_arrive, events
from doubles.watched import NOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from unit.watcher.test_observer import Bus, Memory, objects, watching

from countersign.contracts import messages as m
from countersign.contracts.message import Message
from countersign.watcher.interfaces import Changes
from countersign.watcher.model import NO_LINK, Situation
from countersign.watcher.observation import waiting
from countersign.watcher.status.content import status_of
from countersign.watcher.status.steps import event_object, step_of

OURS = m.PipelineRef(namespace="shop", name="checkout", uid="uid-1", generation=1)


def about_ours(event: Message) -> Message:
    """Say the same of the Pipeline that is looked at."""
    ref = getattr(event, "promotion", None)
    if ref is not None:
        ours = ref.model_copy(update={"pipeline": OURS, "environment": "prod"})
        return event.model_copy(update={"promotion": ours})
    return event.model_copy(update={"pipeline": OURS}) if hasattr(event, "pipeline") else event


def undecided() -> float:
    return REGISTRY.get_sample_value("countersign_watcher_not_decided_total") or 0.0


class Kept(Memory):
    """Makes the status of what was published, as the cluster's keeper does."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def published(self, situation: Situation) -> None:
        status_of(situation, links=dict.fromkeys(("dev", "prod"), NO_LINK))
        self.made += 1


@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(heard=st.lists(events().flatmap(lambda e: st.sampled_from([e, about_ours(e)])), max_size=6))
async def test_events_with_extreme_values_end_nothing(heard: list[Message]) -> None:
    bus, kept, before = Bus(), Kept(), undecided()
    async with watching(bus, links=kept) as service:
        for sequence, event in enumerate(heard, 1):
            service.on_event(event, sequence=sequence, trace={})
        service.caught_up.set()
        await service.on_changes(Changes(changed=objects(), complete=True))
        await bus.until(m.PipelineObserved)

        waiting.measure(service.projection.promotions(), now=NOW)

    assert undecided() == before
    assert kept.made


@settings(max_examples=150, deadline=None)
@given(event=events().filter(can_arrive))
def test_step_is_told_whatever_the_event_says(event: Message) -> None:
    step = step_of(event)

    assert step is None or event_object(event, step, recorded_at=NOW, instance="w1")
