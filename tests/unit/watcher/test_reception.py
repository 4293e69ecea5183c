"""Hints that name no Pipeline, and how little they cost."""

import asyncio
import contextlib

import pytest
from doubles.hinting import HookHouse, event, hook_house, keyed_pipeline
from doubles.watched import release
from prometheus_client import REGISTRY

from countersign.contracts.errors import Rejected
from countersign.kube.objects import ObjectKey
from countersign.watcher.hints import reception
from countersign.watcher.hints.flux_events import BODY_BYTES_MAX, FluxEvent, read_event
from countersign.watcher.observation.inventory import pipeline_key

NOISE = {"commit_status": "update"}


def looks() -> float:
    labels = {"of": "pipeline"}
    found = REGISTRY.get_sample_value("countersign_watcher_decide_seconds_count", labels)
    return found or 0.0


def told(house: HookHouse, **changes: object) -> str:
    return house.hints.on_event(read_event(event(**changes)))


async def test_hint_leads_to_the_pipelines_that_name_the_object() -> None:
    house = await hook_house()
    second = keyed_pipeline()
    second["metadata"] |= {"name": "second", "uid": "uid-2"}
    await house.hold(second)

    assert told(house) == "looked"
    assert {str(k) for k in house.looks} == {"Pipeline shop/checkout", "Pipeline shop/second"}


@pytest.mark.parametrize(
    "involved",
    [{"name": "other"}, {"namespace": "else"}, {"kind": "Kustomization"}, {"apiVersion": "v1"}],
)
async def test_hint_about_something_else_is_dropped(involved: dict[str, str]) -> None:
    house = await hook_house()

    assert told(house, involved=involved) == "foreign"
    assert house.looks == []


async def test_hint_does_not_say_in_which_cluster_the_object_is() -> None:
    remote = keyed_pipeline()
    cluster = {"kind": "GitopsCluster", "name": "edge"}
    remote["spec"]["environments"][0]["targets"] = [
        {"namespace": "dev-0", "clusterRef": {**cluster, "name": name}} for name in ("a", "b")
    ]
    house = await HookHouse().hold(remote)

    assert told(house) == "looked"
    await house.hold(keyed_pipeline("staging"))
    assert told(house) == "foreign"


async def test_repeated_event_is_dropped_until_it_says_something_else() -> None:
    house = await hook_house()

    words = [told(house, metadata={**NOISE, "revision": r}) for r in ("1", "1", "1", "2", "2")]
    words.append(told(house))
    words.append(told(house, metadata={**NOISE, "revision": "2"}))

    assert words == ["looked", "repeated", "repeated", "looked", "repeated", "looked", "looked"]


async def test_repetition_at_one_pipelines_hook_hides_nothing_from_another() -> None:
    house = await hook_house()
    body = event(metadata=NOISE)

    await house.post(body)
    assert told(house, metadata=NOISE) == "looked"
    await house.post(body)

    assert len(house.looks) == 2


async def test_memory_of_repetitions_is_bounded() -> None:
    house = await hook_house()
    first = pipeline_key("shop", "checkout")
    for number in range(reception.REPEATS_MAX + 1):
        said = FluxEvent(
            group="g", kind="K", namespace="n", name=str(number), reason="", severity="info",
            revision="1", is_repeated=True,
        )  # fmt: skip
        assert not house.hints._is_repeated(said, pipeline=first)

    assert len(house.hints._repeats) == reception.REPEATS_MAX


@pytest.mark.parametrize("body", [b"", b"[]", b"\x00", b" " * (BODY_BYTES_MAX + 1)])
def test_what_is_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(Rejected, match="malformed"):
        read_event(body)


async def test_thousand_hints_cost_one_look_and_publish_nothing_new() -> None:
    house = HookHouse()
    await house.hold(keyed_pipeline(), release("dev", "6.9.0"), release("staging", "6.9.0"))
    job = asyncio.create_task(house.watching.run())
    try:
        async with asyncio.timeout(10):
            while not house.bus.events:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
            published, before = len(house.bus.events), looks()
            for _ in range(1000):
                house.watching.on_hint([pipeline_key("shop", "checkout")])
                await asyncio.sleep(0)
            while looks() == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        job.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await job

    assert looks() - before == 1
    assert len(house.bus.events) == published


async def test_hint_about_an_absent_pipeline_costs_nothing() -> None:
    house = await hook_house()

    house.watching.on_hint([ObjectKey("g", "Pipeline", "no", "where")])

    assert house.bus.events == []
