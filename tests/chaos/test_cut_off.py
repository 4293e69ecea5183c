"""The whole system is cut off from its bus for long: nothing passes, and nobody is told.

`make chaos` runs this for a minute and a half; `COUNTERSIGN_CUT_OFF_S=600` for ten.
"""

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from chaos.judging import (
    AWAY,
    assert_nothing_is_lost_or_doubled,
    count,
    is_all_well,
    is_nobody_ready,
    says,
    says_nothing_of,
    until,
    walk,
)
from doubles.routes import route
from e2e.people import person
from e2e.systems import system

from countersign.local.demo.layout import Layout, Ports
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import seed
from countersign.local.demo.walk.walking import DELEGATED

CUT_OFF_S: Final = float(os.environ.get("COUNTERSIGN_CUT_OFF_S", "90"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(CUT_OFF_S + 900)]

LOOKS: Final = 10
GROWTH_KIB_MAX: Final = 48 * 1024
_RESIDENT: Final = re.compile(r"VmRSS:\s+(\d+) kB")


def resident(started: Running) -> Mapping[str, int]:
    """Return the memory of each service in KiB."""
    found = {n: Path(f"/proc/{started.supervisor.pids[n]}/status").read_text() for n in SERVICES}
    return {name: int(_RESIDENT.findall(text)[0]) for name, text in found.items()}


async def test_system_that_is_cut_off_for_long_says_so_grows_little_and_goes_on(
    tmp_path: Path,
) -> None:
    async with route(0) as way:

        def furnish(layout: Layout, ports: Ports) -> None:
            seed(layout, ports)
            way.target_port = ports.bus

        url = {"COUNTERSIGN_NATS_URL": f"nats://127.0.0.1:{way.port}"}
        settings = dict.fromkeys(SERVICES, url)
        async with (
            system(tmp_path, furnish=furnish, settings=settings) as started,
            person("ada", started.ports) as ada,
        ):
            waiting = await ada.until(DELEGATED.pipeline, "waiting")
            before, told = resident(started), await count(started)
            way.cut()
            await until(lambda: is_nobody_ready(started))
            await until(lambda: says(ada, AWAY))
            for _ in range(LOOKS):
                answer = await ada.ask(waiting["promotionId"])
                assert answer.is_server_error, answer.text
                assert await is_nobody_ready(started)
                await asyncio.sleep(CUT_OFF_S / LOOKS)
            after = resident(started)
            assert await count(started) == told
            way.mend()
            await until(lambda: is_all_well(started))
            await until(lambda: says_nothing_of(ada, AWAY))

            await walk(started)
            await assert_nothing_is_lost_or_doubled(started)
    grown = {name: after[name] - before[name] for name in SERVICES}
    print(f"grown in {CUT_OFF_S:g} s, KiB: {grown}")  # noqa: T201 - one wants to know
    assert max(grown.values()) < GROWTH_KIB_MAX, grown
