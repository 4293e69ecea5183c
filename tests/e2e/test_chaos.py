"""Whatever is killed, nothing is lost and nothing is opened twice."""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest
from e2e.persevering import Perseverance
from e2e.systems import assert_never_twice, bus_pid, pulls, system

from countersign.local.demo.browsing import Browser
from countersign.local.demo.manifests import NEW
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.local.demo.walking import DELEGATED, STORED

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]

KILLS = 24
PAUSE_S = (0.1, 1.6)
RECOVERY_S = 150


async def test_no_promotion_is_lost_or_opened_twice_when_processes_die_at_random(
    tmp_path: Path,
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - names the run that failed

    async with system(tmp_path) as started:
        walks = [Perseverance(r, started.ports, Browser()) for r in (DELEGATED, STORED)]
        try:
            async with asyncio.timeout(RECOVERY_S), asyncio.TaskGroup() as group:
                killing = group.create_task(_kill_at_random(started, random.Random(seed)))  # noqa: S311
                walking = [group.create_task(walk.run(NEW)) for walk in walks]
                await asyncio.wait(walking)
                killing.cancel()
        except TimeoutError:
            pytest.fail(f"seed {seed}: {[w.stuck for w in walks]}")
        finally:
            for walk in walks:
                await walk.browser.close()
        found = await pulls(started)

    assert_never_twice(found)
    merged = [pull.gate for pull in found if pull.merged]
    assert len(merged) == len(set(merged)) == 6, sorted(merged)


async def _kill_at_random(started: Running, chance: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(*PAUSE_S))
        victim = chance.choice((*SERVICES, "bus"))
        pid = bus_pid(started) if victim == "bus" else started.supervisor.pids.get(victim)
        if pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
