"""Services on a node that is behind the leader: nothing is lost, and what is not read is said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from doubles.lagging_node import LaggingNode, lagging_node

from countersign.contracts.messages import PromotionRequested
from countersign.contracts.subjects import event_subject
from countersign.messaging.bus import Bus, Pace, open_bus
from countersign.messaging.leader_reads import last_on_subject, next_sequence
from countersign.messaging.projections.follower import follow
from countersign.process.health import Health

FAST = Pace(check_s=0.2, retry_s=0.02)


@pytest.fixture
async def node(server: Any) -> AsyncIterator[LaggingNode]:
    async with lagging_node(server.port) as running:
        yield running


@asynccontextmanager
async def on_node(node: LaggingNode, server: Any, service: str) -> AsyncIterator[Bus]:
    settings = server.settings(service).model_copy(update={"nats_url": node.url})
    async with open_bus(settings, service=service, health=Health()) as bus:
        yield bus


@asynccontextmanager
async def following(bus: Bus, *streams: str) -> AsyncIterator[tuple[list[str], asyncio.Event]]:
    seen: list[str] = []
    caught_up = asyncio.Event()
    bus.pace = FAST
    task = asyncio.create_task(
        follow(
            bus,
            streams=streams or ("PROMOTIONS",),
            apply=lambda received: seen.append(received.message_id),
            caught_up=caught_up,
        )
    )
    try:
        yield seen, caught_up
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("holds", [0, 1, 3, 4], ids=lambda n: f"holds-{n}-of-5")
async def test_replay_waits_for_what_the_node_has_not_yet(
    *, server: Any, bus_of: Any, node: LaggingNode, requested: Any, until: Any, holds: int
) -> None:
    async with bus_of("watcher") as watcher, on_node(node, server, "gateway") as gateway:
        for number in range(5):
            await watcher.publish(requested(f"p{number}"), message_id=f"m{number}")
        node.holds = holds
        async with following(gateway) as (seen, caught_up):
            await until(
                lambda: "not yet" in gateway.health.not_ready().get("projection-promotions", "")
            )

            assert not caught_up.is_set()
            assert len(seen) == holds

            node.holds = None
            await until(caught_up.is_set)

    assert seen == [f"m{number}" for number in range(5)]


async def test_gap_is_not_closed_by_a_node_that_does_not_hold_it(
    server: Any, bus_of: Any, node: LaggingNode, requested: Any, until: Any
) -> None:
    async with (
        bus_of("watcher") as watcher,
        on_node(node, server, "gateway") as gateway,
        following(gateway) as (seen, caught_up),
    ):
        await until(caught_up.is_set)
        lost = lose_live(gateway, {"1", "2"})
        node.holds = 0
        for number in range(3):
            await watcher.publish(requested(f"p{number}"), message_id=f"m{number}")
        await until(lambda: len(node.asked) > 3)

        assert seen == []

        node.holds = None
        await until(lambda: len(seen) == 3)

    assert lost == ["1", "2"]
    assert seen == ["m0", "m1", "m2"]


async def test_end_of_a_stream_that_was_dropped_is_not_waited_for(
    *, server: Any, bus_of: Any, connect_as: Any, node: LaggingNode, deleted: Any, until: Any
) -> None:
    """The leader holds nothing beyond, and says so; the sequence goes on."""
    async with bus_of("watcher") as watcher, on_node(node, server, "gateway") as gateway:
        await watcher.publish(deleted("podinfo"), message_id="m1")
        await watcher.publish(deleted("other"), message_id="m2")
        async with connect_as("topology") as topology:
            await topology.request("$JS.API.STREAM.PURGE.PIPELINES", b'{"keep": 0}')
        async with following(gateway, "PIPELINES") as (seen, caught_up):
            await until(caught_up.is_set)

    assert seen == []


async def test_last_on_a_subject_is_what_the_leader_holds(
    server: Any, bus_of: Any, node: LaggingNode, requested: Any
) -> None:
    event = requested("p1")
    async with bus_of("watcher") as watcher, on_node(node, server, "gateway") as gateway:
        await watcher.publish(event, message_id="m1")
        node.holds = 0

        found = await gateway.last(PromotionRequested, event_subject(event), stream="PROMOTIONS")

    assert found is not None
    assert found.message == event
    assert (found.message_id, found.sequence, found.stream) == ("m1", 1, "PROMOTIONS")


async def test_leader_says_what_comes_next_and_that_nothing_does(
    server: Any, bus_of: Any, requested: Any
) -> None:
    async with bus_of("watcher") as watcher:
        await watcher.publish(requested("p1"), message_id="m1")

        client = watcher.client
        assert await next_sequence(client, stream="PROMOTIONS", sequence=0) == 1
        assert await next_sequence(client, stream="PROMOTIONS", sequence=2) is None
        assert (
            await last_on_subject(client, stream="PROMOTIONS", subject="countersign.v1.x") is None
        )


def lose_live(bus: Bus, sequences: set[str]) -> list[str]:
    """Lose republished messages on their way, as a slow consumer does."""
    lost: list[str] = []
    for subscription in bus.client._subs.values():
        if subscription.subject.startswith("countersign.v1."):
            put = subscription._pending_queue.put_nowait

            def lossy(message: Any, put: Any = put) -> None:
                if message.headers["Nats-Sequence"] in sequences:
                    lost.append(message.headers["Nats-Sequence"])
                else:
                    put(message)

            vars(subscription._pending_queue)["put_nowait"] = lossy
    return lost
