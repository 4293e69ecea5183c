"""Promotions from the first environment to the last, through the gateway's Service."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from cluster.judging import judge, settled
from cluster.machine import Machine, memory_peaks, say
from cluster.releasing import MANY, many, release
from e2e.persevering import Perseverance

from countersign.local.demo.layout import Ports
from countersign.local.demo.manifests import NEW
from countersign.local.demo.walk.browsing import Browser
from countersign.local.demo.walk.walking import DELEGATED, STORED

pytestmark = pytest.mark.timeout(900)

SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway")
WALK_S: Final = 400.0
SETTLED_S: Final = 400.0


async def walk(ports: Ports, revision: str, *, meanwhile: Callable[[], None] | None = None) -> None:
    """Both flows, by two persons who do not give up, while something happens to the system."""
    walks = {r: Perseverance(r, ports, Browser()) for r in (DELEGATED, STORED)}
    try:
        async with asyncio.timeout(WALK_S), asyncio.TaskGroup() as group:
            for one in walks.values():
                group.create_task(one.run(revision))
            if meanwhile is not None:
                group.create_task(asyncio.to_thread(meanwhile))
    except TimeoutError:
        stuck = {r.pipeline: one.stuck for r, one in walks.items()}
        raise AssertionError(f"not within {WALK_S:g} s: {stuck}") from None
    finally:
        for one in walks.values():
            await one.browser.close()


async def test_revision_goes_from_dev_to_prod_by_both_flows(
    installed: Machine, ports: Ports, tmp_path: Path
) -> None:
    await walk(ports, NEW)

    await judge(installed, tmp_path)


async def test_restart_of_everything_loses_and_doubles_nothing(
    installed: Machine, tmp_path: Path
) -> None:
    """The forwarded port ends with its Pod, as a browser's connection does, and is opened anew."""
    revision = await asyncio.to_thread(release, installed)

    async def restart() -> None:
        for service in SERVICES:
            await asyncio.to_thread(
                installed.kubectl, "rollout", "restart", f"deployment/countersign-{service}"
            )
        for service in SERVICES:
            rollout = f"deployment/countersign-{service}"
            await asyncio.to_thread(
                installed.kubectl, "rollout", "status", rollout, "--timeout=240s"
            )
        say("everything was restarted")

    async with asyncio.TaskGroup() as group:
        group.create_task(restart())
        await walk_anew(installed, revision)

    await judge(installed, tmp_path)


async def walk_anew(machine: Machine, revision: str) -> None:
    """Walk through ports that are forwarded again whenever the Pod behind them is another."""
    ports = Ports(gateway=machine.board_port, forge=machine.forge_port, webhooks=0, bus=0)
    async with asyncio.TaskGroup() as group:
        keepers = [
            group.create_task(keep_forwarded(machine, "service/countersign-gateway", there=80)),
            group.create_task(keep_forwarded(machine, "deployment/forge", there=0)),
        ]
        await walk(ports, revision)
        for keeper in keepers:
            keeper.cancel()


async def keep_forwarded(machine: Machine, target: str, *, there: int) -> None:
    here = machine.board_port if there else machine.forge_port
    command = ["kubectl", "-n", "countersign", "port-forward", "--address=127.0.0.1", target]
    command.append(f"{here}:{there or here}")
    while True:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await process.wait()
            # A Pod may just be made that takes it.
            await asyncio.sleep(0.5)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_bus_that_was_away_is_found_again(
    installed: Machine, ports: Ports, tmp_path: Path
) -> None:
    revision = await asyncio.to_thread(release, installed)

    def away() -> None:
        installed.kubectl("scale", "statefulset/nats", "--replicas=0")
        installed.kubectl("wait", "--for=delete", "pod/nats-0", "--timeout=120s")
        say("the bus is gone")
        installed.kubectl("scale", "statefulset/nats", "--replicas=1")
        installed.kubectl("rollout", "status", "statefulset/nats", "--timeout=180s")
        say("the bus is back")

    await walk(ports, revision, meanwhile=away)

    await judge(installed, tmp_path)


async def test_memory_limits_hold_with_many_promotions_at_once(
    installed: Machine, tmp_path: Path
) -> None:
    at_rest = memory_peaks(installed, SERVICES)

    await asyncio.to_thread(many, installed)
    found = await settled(installed, opened=MANY, seconds_max=SETTLED_S)

    peaks = memory_peaks(installed, SERVICES)
    say(f"memory at most, MiB: {at_rest} before, {peaks} with {MANY} promotions at once")
    assert found >= MANY
    assert _killed(installed) == []
    await judge(installed, tmp_path)


def _killed(machine: Machine) -> list[str]:
    """Containers that were ended by their limits, or by themselves."""
    found: list[str] = []
    for pod in machine.json("get", "pods")["items"]:
        for status in _statuses(pod):
            last = status.get("lastState", {}).get("terminated", {})
            if last.get("reason") == "OOMKilled":
                found.append(f"{pod['metadata']['name']}/{status['name']}")
    return found


def _statuses(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return list(pod["status"].get("containerStatuses", ()))
