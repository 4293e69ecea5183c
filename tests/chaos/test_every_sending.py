"""Each service dies at each kind of event, request and answer: once before it is sent, once after.

`make chaos` runs this.
"""

import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from chaos.judging import assert_nothing_is_lost_or_doubled, walk
from doubles.fatal_bus import FatalBus, fatal_bus
from e2e.systems import system

from countersign.local.demo.layout import Layout, Ports
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import seed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

WALKS_S_MAX: Final = 900.0
AT_LEAST: Final = {
    "watcher": {"pipeline.observed", "promotion.requested", "promotion.completed"},
    "approval": {
        "approval.begun",
        "approval.granted",
        "approval.revoked",
        "answer to gateway",
        "answer to pr-writer",
    },
    "pr-writer": {
        "pull-request.progressed",
        "pull-request.opened",
        "token.used",
        "request approval.redeem",
        "acknowledgement",
    },
    "auditor": {"token.checked"},
    "gateway": {"request approval.begin", "request approval.complete"},
}


async def test_services_that_die_at_each_event_request_and_answer_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    running: list[Running] = []
    fatal: dict[str, FatalBus] = {}

    def killing(name: str) -> None:
        os.kill(running[0].supervisor.pids[name], signal.SIGKILL)

    async with AsyncExitStack() as stack:
        for name in SERVICES:
            fatal[name] = await stack.enter_async_context(
                fatal_bus(lambda name=name: killing(name))  # type: ignore[misc]
            )

        def furnish(layout: Layout, ports: Ports) -> None:
            seed(layout, ports)
            for way in fatal.values():
                way.target_port = ports.bus

        settings = {
            name: {"COUNTERSIGN_NATS_URL": f"nats://127.0.0.1:{way.port}"}
            for name, way in fatal.items()
        }
        started = await stack.enter_async_context(
            system(tmp_path, furnish=furnish, settings=settings)
        )
        running.append(started)
        # Not before all are ready: that would be a start that failed.
        for way in fatal.values():
            way.is_deadly = True

        await walk(started, seconds_max=WALKS_S_MAX)

        killed = sum(len(way.died_at) for way in fatal.values())
        await assert_nothing_is_lost_or_doubled(started, killed=killed)
    for name, way in fatal.items():
        print(name, *way.died_at, sep="\n  ")  # noqa: T201 - the list of points
        for kind in AT_LEAST[name]:
            assert {f"before {kind}", f"after {kind}"} <= set(way.died_at), (name, kind)
