"""The whole system on three nodes of the bus, of which one is cut off from the two others.

Services stay connected to that node. `make chaos` runs this.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx2
import pytest
from chaos.judging import (
    AWAY,
    LOOK_S,
    assert_nothing_is_lost_or_doubled,
    count,
    is_all_well,
    is_nobody_ready,
    ready,
    says,
    says_nothing_of,
    until,
    walk,
)
from doubles.three_nodes import Cluster, Node, three_nodes
from e2e.people import person
from e2e.systems import system

from countersign.local.demo.layout import Layout
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.local.demo.walk.walking import DELEGATED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# A node answers for itself after ten seconds, and a service asks again after five.
STAYS_S: Final = 20.0
CUT_S: Final = 25.0


@dataclass(frozen=True, kw_only=True)
class Parted:
    cluster: Cluster
    started: Running


@asynccontextmanager
async def on_three_nodes(
    root: Path, place: Callable[[Cluster, Node], Mapping[str, Node]]
) -> AsyncIterator[Parted]:
    """The demonstration, each of its services at the node that it is placed at.

    Its own bus runs beside it, and nobody uses it. Who looks at the bus is not at the node that
    leads the promotions.
    """
    # Keys are where the demonstration looks for them.
    async with three_nodes(Layout(root / "demo").bus) as cluster:
        leader = await cluster.leader("PROMOTIONS")
        places = place(cluster, leader)
        settings = {name: {"COUNTERSIGN_NATS_URL": places[name].url} for name in SERVICES}
        async with system(root, settings=settings) as started:
            ports = replace(started.ports, bus=cluster.others(leader)[0].port)
            yield Parted(cluster=cluster, started=replace(started, ports=ports))


async def test_services_at_a_cut_off_node_say_so_and_promise_nothing(tmp_path: Path) -> None:
    cut: list[Node] = []

    def all_there(_cluster: Cluster, leader: Node) -> Mapping[str, Node]:
        cut.append(leader)
        return dict.fromkeys(SERVICES, leader)

    async with on_three_nodes(tmp_path, all_there) as on, person("ada", on.started.ports) as ada:
        waiting = await ada.until(DELEGATED.pipeline, "waiting")
        with on.cluster.cut_off(cut[0]):
            await until(lambda: is_nobody_ready(on.started))
            await until(lambda: says(ada, AWAY))
            before = await count(on.started)
            for _ in range(round(STAYS_S / LOOK_S)):
                assert await is_nobody_ready(on.started), await ready(on.started)
                assert await says(ada, AWAY)
                await asyncio.sleep(LOOK_S)
            answer = await ada.ask(waiting["promotionId"])
            assert answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE, answer.text
            assert await count(on.started) == before
        await until(lambda: is_all_well(on.started))
        await until(lambda: says_nothing_of(ada, AWAY))

        await walk(on.started)
        await assert_nothing_is_lost_or_doubled(on.started)


async def test_promotions_outlive_that_each_node_is_cut_off_in_turn(tmp_path: Path) -> None:
    def apart(cluster: Cluster, leader: Node) -> Mapping[str, Node]:
        second, third = cluster.others(leader)
        return {
            "gateway": leader,
            "approval": leader,
            "pr-writer": second,
            "watcher": third,
            "auditor": third,
        }

    async with on_three_nodes(tmp_path, apart) as on:
        cutting = asyncio.create_task(_cut_each(on.cluster))
        try:
            await walk(on.started, besides=cutting)
        finally:
            cutting.cancel()
        await until(lambda: is_all_well(on.started))
        await assert_nothing_is_lost_or_doubled(on.started)


async def _cut_each(cluster: Cluster) -> None:
    for turn, node in enumerate((*cluster.nodes, *cluster.nodes)):
        with cluster.cut_off(node, hanging_up=bool(turn % 2)):
            await asyncio.sleep(CUT_S)
        # Who works between two misfortunes has some time for it.
        await asyncio.sleep(CUT_S / 2)
