"""The watcher on a real API server: cold start, memory, requests at rest, change → request.

The API server and its etcd run beside it on the same machine, and store what the watcher writes.
Run: `python tests/bench/cluster.py [PIPELINES] [CHANGES] [OTHER OBJECTS]`.
"""

import asyncio
import re
import ssl
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apiserver import ApiServer, running
from bench.watching import ENVIRONMENTS, Ear, cpu_s, is_ready, memory_mib, scene, watcher
from doubles.observed_cluster import make_namespace, path_of, put, true_pipeline, true_release
from e2e.mirroring import install
from reference import ROOT, directory

from countersign.kube.access.api import ClusterApi
from countersign.kube.access.http_api import cluster_api
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.bus import open_bus
from countersign.messaging.projections.follower import follow
from countersign.process.health import Health

AT_ONCE = 8
SETTLE_S = 15.0
REST_S = 60.0
PAUSE_S = 0.02
_COUNTED = re.compile(r'apiserver_request_total\{[^}]*,resource="([^"]+)"[^}]*\} ([0-9.e+]+)')
_OURS = {"pipelines", "helmreleases", "events", "gitopsclusters"}


def namespace(environment: str) -> str:
    return f"bench-{environment}"


async def lay(api: ClusterApi, number: int) -> None:
    name = f"app-{number}"
    targets = {e: [{"namespace": namespace(e)}] for e in ENVIRONMENTS}
    pipeline = true_pipeline(namespace("dev"), *ENVIRONMENTS, name=name, targets=targets)
    pipeline["spec"]["appRef"]["name"] = name
    await put(api, pipeline)
    for environment in ENVIRONMENTS:
        await put(api, true_release(namespace(environment), "6.8.4", name=name))


async def each(numbers: range, do: Callable[[int], Awaitable[None]]) -> None:
    left = list(numbers)

    async def work() -> None:
        while left:
            await do(left.pop())

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(work())


def asked(server: ApiServer) -> float:
    """Requests about our objects that the API server has finished."""
    tls = ssl.create_default_context(cafile=str(server.ca))
    token = (server.account() / "token").read_text()
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{server.url}/metrics", headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, context=tls) as answer:  # noqa: S310
        text = answer.read().decode()
    return sum(float(count) for resource, count in _COUNTED.findall(text) if resource in _OURS)


async def changing(ear: Ear, api: ClusterApi, *, changes: int) -> list[float]:
    """From when Flux begins to write the status until the stream tells of the request."""
    taken_ms = []
    for number in range(changes):
        name = f"app-{number}"
        manifest = true_release(namespace("dev"), "6.9.0", name=name)
        status = manifest.pop("status")
        applied = await put(api, manifest)
        generation = applied["metadata"]["generation"]
        body = {**applied, "status": observed(status, generation)}
        changed = time.perf_counter()
        await api.call("PUT", f"{path_of(manifest)}/status", body=body)
        await ear.until(number + 1, ear.requested)
        taken_ms.append((ear.requested[name] - changed) * 1000)
        await asyncio.sleep(PAUSE_S)
    return taken_ms


def observed(status: Any, generation: int) -> Any:
    if isinstance(status, dict):
        return {
            k: generation if k == "observedGeneration" else observed(v, generation)
            for k, v in status.items()
        }
    return [observed(v, generation) for v in status] if isinstance(status, list) else status


async def measure(
    server: ApiServer, root: Path, nats: LocalServer, *, pipelines: int, changes: int, others: int
) -> None:
    ear = Ear()
    settings = server.settings()
    more = {
        "COUNTERSIGN_KUBE_URL": settings.url,
        "COUNTERSIGN_KUBE_ACCOUNT_DIR": str(settings.account_dir),
    }
    async with (
        cluster_api(settings) as api,
        open_bus(nats.settings("gateway"), service="gateway", health=Health()) as bus,
    ):
        for environment in ENVIRONMENTS:
            await make_namespace(api, namespace(environment))
        await each(range(pipelines), lambda number: lay(api, number))
        job = asyncio.create_task(follow(bus, streams=("PROMOTIONS", "PIPELINES"), apply=ear.note))
        started = time.perf_counter()
        async with watcher(nats, root, **more) as (process, port):
            await ear.until(pipelines, ear.observed)
            cold_s = time.perf_counter() - started
            await is_ready(port)
            print(f"{pipelines} pipelines x {len(ENVIRONMENTS)} environments in the API server")
            print(f"first start to everything observed: {cold_s:.2f} s (goal 10 s)")
            print(f"CPU time of that: {cpu_s(process):.2f} s")
            print(f"resident memory: {memory_mib(process):.0f} MiB (goal 256 MiB)")
            await asyncio.sleep(SETTLE_S)
            before, used, since = asked(server), cpu_s(process), time.perf_counter()
            await asyncio.sleep(REST_S)
            rest_s = time.perf_counter() - since
            ended = 60 * (asked(server) - before) / rest_s
            print(f"at rest: {ended:.1f} API requests a minute that end")
            print(f"at rest: {100 * (cpu_s(process) - used) / rest_s:.2f} % of a core")
            taken_ms = sorted(await changing(ear, api, changes=changes))
            worst = taken_ms[min(len(taken_ms) - 1, int(len(taken_ms) * 0.99))]
            print(
                f"change -> promotion.requested: p50 {statistics.median(taken_ms):.1f} ms, "
                f"p99 {worst:.1f} ms (goal 1000 ms), {len(taken_ms)} changes"
            )
            await crowd(api, others)
            await asyncio.sleep(SETTLE_S)
            print(f"resident memory with {others} more releases: {memory_mib(process):.0f} MiB")
        job.cancel()


async def crowd(api: ClusterApi, others: int) -> None:
    """Releases that no Pipeline names."""

    async def lay_other(number: int) -> None:
        await put(api, true_release(namespace("prod"), "1.0.0", name=f"other-{number}"))

    await each(range(others), lay_other)


async def main(*, pipelines: int, changes: int, others: int) -> None:
    theirs = directory()
    if theirs is None:
        print("left out: the kinds of Flux are reference material, which is absent")
        return
    with tempfile.TemporaryDirectory(prefix="countersign-cluster-") as folder:
        server = await asyncio.to_thread(running, Path(folder))
        try:
            ours = ROOT / "k8s" / "crds" / "pipelines.yaml"
            await asyncio.to_thread(install, server, ours, theirs / "crds" / "gitopsclusters.yaml")
            async with scene() as (root, nats):
                await measure(
                    server, root, nats, pipelines=pipelines, changes=changes, others=others
                )
        finally:
            server.stop()


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(
        main(
            pipelines=given[0] if given else 1000,
            changes=given[1] if len(given) > 1 else 200,
            others=given[2] if len(given) > 2 else 10_000,
        )
    )
