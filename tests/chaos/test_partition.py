"""The whole system on three nodes of the bus, of which one is cut off from the two others.

Services stay connected to that node. `make chaos` runs this.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx2
import pytest
from doubles.three_nodes import Cluster, Node, three_nodes
from e2e.invariants import (
    assert_in_order,
    assert_logs_clean,
    assert_only_marked_changed,
    assert_settled,
    assert_shown,
    assert_true,
)
from e2e.people import Person, person
from e2e.persevering import Perseverance
from e2e.systems import assert_never_twice, pulls, system
from e2e.witnessing import letters, stored

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import Layout
from countersign.local.demo.manifests import NEW
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.local.demo.walk.browsing import Browser
from countersign.local.demo.walk.walking import DELEGATED, STORED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# For two minutes a service that has nothing to publish counts what was refused.
FACT_S_MAX: Final = 240.0
WALKS_S_MAX: Final = 400.0
LOOK_S: Final = 0.3
# A node answers for itself after ten seconds, and a service asks again after five.
STAYS_S: Final = 20.0
CUT_S: Final = 25.0
GATES: Final = 6
AWAY: Final = "The bus cannot be reached"


@dataclass(frozen=True, kw_only=True)
class Parted:
    cluster: Cluster
    started: Running

    async def ready(self) -> Mapping[str, bool]:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            urls = {n: f"http://127.0.0.1:{p}/readyz" for n, p in self.started.health_ports.items()}
            return {name: (await client.get(url)).is_success for name, url in urls.items()}


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


async def until(look: Callable[[], Awaitable[bool]], *, seconds_max: float = FACT_S_MAX) -> None:
    async with asyncio.timeout(seconds_max):
        while not await look():  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(LOOK_S)


async def test_services_at_a_cut_off_node_say_so_and_promise_nothing(tmp_path: Path) -> None:
    cut: list[Node] = []

    def all_there(_cluster: Cluster, leader: Node) -> Mapping[str, Node]:
        cut.append(leader)
        return dict.fromkeys(SERVICES, leader)

    async with on_three_nodes(tmp_path, all_there) as on, person("ada", on.started.ports) as ada:
        waiting = await ada.until(DELEGATED.pipeline, "waiting")
        with on.cluster.cut_off(cut[0]):
            await until(lambda: _is_nobody_ready(on))
            await until(lambda: _says(ada, AWAY))
            before = await _count(on)
            for _ in range(round(STAYS_S / LOOK_S)):
                assert await _is_nobody_ready(on), await on.ready()
                assert await _says(ada, AWAY)
                await asyncio.sleep(LOOK_S)
            answer = await ada.ask(waiting["promotionId"])
            assert answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE, answer.text
            assert await _count(on) == before
        await until(lambda: _is_all_well(on))
        assert not await _says(ada, AWAY)

        await _walk(on)
        await _assert_nothing_is_lost_or_doubled(on)


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
            await _walk(on, besides=cutting)
        finally:
            cutting.cancel()
        await until(lambda: _is_all_well(on))
        await _assert_nothing_is_lost_or_doubled(on)


async def _cut_each(cluster: Cluster) -> None:
    for turn, node in enumerate((*cluster.nodes, *cluster.nodes)):
        with cluster.cut_off(node, hanging_up=bool(turn % 2)):
            await asyncio.sleep(CUT_S)
        # Who works between two misfortunes has some time for it.
        await asyncio.sleep(CUT_S / 2)


async def _walk(on: Parted, *, besides: "asyncio.Task[None] | None" = None) -> None:
    ports = on.started.ports
    walks = [Perseverance(route, ports, Browser()) for route in (DELEGATED, STORED)]
    try:
        async with asyncio.timeout(WALKS_S_MAX):
            await asyncio.gather(
                *(walk.run(NEW) for walk in walks), *([besides] if besides else [])
            )
    except TimeoutError:
        pytest.fail(f"still {[walk.stuck for walk in walks]}")
    finally:
        for walk in walks:
            await walk.browser.close()


async def _says(ada: Person, words: str) -> bool:
    page = await ada.browser.open(f"{ada.ports.gateway_url}/")
    return words in page.text


async def _count(on: Parted) -> int:
    """Return how many events are stored, as soon as a node that is not cut off can be read.

    For a while one may hand on what it is asked to the node that is.
    """
    while True:
        with suppress(Retryable):
            return len(await stored(on.started))
        await asyncio.sleep(LOOK_S)


async def _is_nobody_ready(on: Parted) -> bool:
    return not any((await on.ready()).values())


async def _is_all_well(on: Parted) -> bool:
    return all((await on.ready()).values())


async def _assert_nothing_is_lost_or_doubled(on: Parted) -> None:
    async with person("ada", on.started.ports) as ada:

        async def is_shown() -> bool:
            url = f"{ada.ports.gateway_url}/api/v1/promotions"
            try:
                shown = (await ada.browser.read_json(url))["items"]
                assert_shown(await stored(on.started), shown)  # type: ignore[arg-type]
            except (AssertionError, Rejected, Retryable):
                return False
            return True

        await until(is_shown)
    events, found = await stored(on.started), await pulls(on.started)
    assert_never_twice(found)
    assert len([pull for pull in found if pull.merged]) == GATES
    assert_only_marked_changed(on.started, found, to={NEW})
    assert_in_order(events)
    assert_settled(events)
    assert_true(events, found)
    assert await letters(on.started) == []
    assert on.started.supervisor.restarts == 0
    assert_logs_clean(on.started)
