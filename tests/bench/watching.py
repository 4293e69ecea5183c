"""The watcher with many Pipelines: cold start, memory, and change → `promotion.requested`.

The watcher runs as its own process on a real bus; files are written as a careful writer does.
Run: `python tests/bench/watching.py [PIPELINES] [CHANGES]`.
"""

import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
import urllib.request
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from doubles.streams import provision
from doubles.watched import pipeline_manifest, release, write

from countersign.contracts.messages import PipelineObserved, PromotionRequested
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.bus import Received, open_bus
from countersign.messaging.projections.follower import follow
from countersign.process.health import Health

ENVIRONMENTS = ("dev", "test", "staging", "canary", "prod")
PAUSE_S = 0.02
TIMEOUT_S = 120.0
# What was just observed is looked at once more, for watchers that see the same otherwise.
SETTLE_S = 10.0
# Holds one reading of everything.
IDLE_S = 31.0


def lay(root: Path, number: int, **versions: str) -> None:
    """One Pipeline and its five HelmReleases, each in a file of its own."""
    name = f"app-{number}"
    folder = root / name
    if not versions:
        manifest = pipeline_manifest(*ENVIRONMENTS)
        manifest["metadata"] = {"name": name, "namespace": "bench"}
        manifest["spec"]["appRef"]["name"] = name
        write(folder / "pipeline.yaml", manifest)
        versions = dict.fromkeys(ENVIRONMENTS, "6.8.4")
    for environment, version in versions.items():
        manifest = release(environment, version)
        manifest["metadata"]["name"] = name
        write(folder / f"{environment}.yaml", manifest)


@asynccontextmanager
async def watcher(server: LocalServer, root: Path, **more: str) -> Any:
    settings = server.settings("watcher")
    port = free_port()
    environment = {
        **os.environ,
        "COUNTERSIGN_NATS_URL": server.url,
        "COUNTERSIGN_NKEY_FILE": str(settings.nkey_file),
        "COUNTERSIGN_CLUSTER_DIR": str(root),
        "COUNTERSIGN_HEALTH_PORT": str(port),
        **more,
    }
    command = [sys.executable, "-m", "countersign.watcher"]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield process, port
    finally:
        process.terminate()
        await process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def memory_mib(process: Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    found = next(line for line in status if line.startswith("VmRSS"))
    return int(found.split()[1]) / 1024


def cpu_s(process: Process) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Ear:
    """Notes when the stream told of what."""

    def __init__(self) -> None:
        self.observed: set[str] = set()
        self.requested: dict[str, float] = {}
        self.changed = asyncio.Event()

    def note(self, received: Received) -> None:
        event = received.message
        if isinstance(event, PipelineObserved):
            self.observed.add(event.pipeline.name)
        elif isinstance(event, PromotionRequested):
            self.requested[event.promotion.pipeline.name] = time.perf_counter()
        self.changed.set()

    async def until(self, count: int, seen: Any) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while len(seen) < count:
                self.changed.clear()
                await self.changed.wait()


async def is_ready(port: int) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                await asyncio.to_thread(
                    urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", timeout=1
                )
            except OSError:
                await asyncio.sleep(PAUSE_S)
            else:
                return


async def measure(root: Path, server: LocalServer, *, pipelines: int, changes: int) -> None:
    ear = Ear()
    for number in range(pipelines):
        lay(root, number)
    async with open_bus(server.settings("gateway"), service="gateway", health=Health()) as bus:
        streams = ("PROMOTIONS", "PIPELINES")
        job = asyncio.create_task(follow(bus, streams=streams, apply=ear.note))
        started = time.perf_counter()
        async with watcher(server, root) as (process, port):
            await ear.until(pipelines, ear.observed)
            cold_s = time.perf_counter() - started
            await is_ready(port)
            print(f"{pipelines} pipelines x {len(ENVIRONMENTS)} environments")
            print(f"cold start to everything observed: {cold_s:.2f} s (goal 10 s)")
            print(f"CPU time of that: {cpu_s(process):.2f} s")
            print(f"resident memory: {memory_mib(process):.0f} MiB (goal 256 MiB)")
            await asyncio.sleep(SETTLE_S)
            used, since = cpu_s(process), time.perf_counter()
            await asyncio.sleep(IDLE_S)
            busy = (cpu_s(process) - used) / (time.perf_counter() - since)
            print(f"idle: {100 * busy:.2f} % of a core (goal 2 % for all services together)")
            taken_ms = sorted(await changing(ear, root, changes=changes))
            middle = statistics.median(taken_ms)
            worst = taken_ms[min(len(taken_ms) - 1, int(len(taken_ms) * 0.99))]
            print(
                f"change -> promotion.requested: p50 {middle:.1f} ms (goal 50 ms), "
                f"p99 {worst:.1f} ms (goal 1000 ms), {len(taken_ms)} changes"
            )
            await burst(ear, root, first=changes, count=min(200, pipelines - changes))
            print(f"resident memory after that: {memory_mib(process):.0f} MiB")
        job.cancel()


async def changing(ear: Ear, root: Path, *, changes: int) -> list[float]:
    taken_ms = []
    for number in range(changes):
        changed = time.perf_counter()
        lay(root, number, dev="6.9.0")
        await ear.until(number + 1, ear.requested)
        taken_ms.append((ear.requested[f"app-{number}"] - changed) * 1000)
        await asyncio.sleep(PAUSE_S)
    return taken_ms


async def burst(ear: Ear, root: Path, *, first: int, count: int) -> None:
    if count <= 0:
        return
    changed = time.perf_counter()
    for number in range(first, first + count):
        lay(root, number, dev="6.9.0")
    await ear.until(first + count, ear.requested)
    print(f"{count} changes at once, all requested: {time.perf_counter() - changed:.2f} s")


@asynccontextmanager
async def scene() -> AsyncIterator[tuple[Path, LocalServer]]:
    """An empty cluster's folder and a bus with its streams."""
    with tempfile.TemporaryDirectory(
        prefix="countersign-watching-", ignore_cleanup_errors=True
    ) as folder:
        root = Path(folder) / "cluster"
        root.mkdir()
        async with local_server(Path(folder) / "bus") as server:
            await provision(server)
            yield root, server


async def main(*, pipelines: int, changes: int) -> None:
    async with scene() as (root, server):
        await measure(root, server, pipelines=pipelines, changes=changes)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(
        main(pipelines=given[0] if given else 1000, changes=given[1] if len(given) > 1 else 200)
    )
