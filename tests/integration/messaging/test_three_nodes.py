"""A cluster of three nodes of which one is slow and one dies, or all: nobody misses an event."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from doubles.three_nodes import Cluster, three_nodes
from integration.messaging.test_follower import following
from integration.messaging.test_partition import assert_both_have_all, side, until_fact

from countersign.contracts.errors import Retryable
from countersign.messaging.bus import open_bus
from countersign.process.health import Health

EVENTS = 60
ALL_S_MAX = 60.0
SLOW_S = 3.0
FEW = 5


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with three_nodes(tmp_path) as made:
        yield made


@pytest.mark.timeout(240)
async def test_every_projection_hears_everything_at_whatever_node_it_is(
    cluster: Cluster, requested: object
) -> None:
    wanted = [f"m{number}" for number in range(EVENTS)]
    leader = await cluster.leader("PROMOTIONS")
    slow = next(node for node in cluster.nodes if node is not leader)

    async with AsyncExitStack() as stack:
        readers = []
        for node in cluster.nodes:
            settings = cluster.settings("gateway", node)
            bus = await stack.enter_async_context(
                open_bus(settings, service="gateway", health=Health())
            )
            readers.append(await stack.enter_async_context(following(bus)))
        publishing = asyncio.create_task(_publish(cluster, wanted, requested))
        slow.signal(signal.SIGSTOP)
        await asyncio.sleep(SLOW_S)
        slow.signal(signal.SIGCONT)
        await leader.kill()
        await asyncio.sleep(SLOW_S)
        await cluster.start(leader)
        await publishing
        async with asyncio.timeout(ALL_S_MAX):
            while not all(len(reader.received) >= EVENTS for reader in readers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        seen = [reader.ids for reader in readers]

    assert seen == [wanted] * len(cluster.nodes)


async def _publish(cluster: Cluster, wanted: list[str], requested: object) -> None:
    """One after the other, each until the stream has it."""
    assert callable(requested)
    settings = cluster.settings("watcher")
    async with open_bus(settings, service="watcher", health=Health()) as bus:
        for number, message_id in enumerate(wanted):
            stored = False
            while not stored:
                with contextlib.suppress(Retryable):
                    await bus.publish(requested(f"p{number}"), message_id=message_id)
                    stored = True
            await asyncio.sleep(0.1)


@pytest.mark.timeout(240)
async def test_all_nodes_killed_at_once_keep_what_was_acknowledged_and_double_nothing(
    cluster: Cluster, requested: Callable[..., object]
) -> None:
    first, second, _ = cluster.nodes
    async with side("one", first, cluster) as one, side("two", second, cluster) as two:
        sides = (one, two)
        async with asyncio.TaskGroup() as living:
            publishing = [living.create_task(s.publish_on(requested)) for s in sides]
            await until_fact(lambda: all(len(s.acknowledged) > FEW for s in sides))
            await asyncio.gather(*(node.kill() for node in cluster.nodes))
            await until_fact(lambda: all(s.is_nobody_ready() for s in sides))
            before = {s.name: len(s.acknowledged) for s in sides}
            for node in cluster.nodes:
                await cluster.start(node)
            await until_fact(
                lambda: all(
                    s.is_ready() and len(s.acknowledged) > before[s.name] + FEW for s in sides
                )
            )
            for task in publishing:
                task.cancel()
        await assert_both_have_all(one, two)
