"""What it costs to drop the success that a Kustomization tells again at each interval.

Our own work on an event that arrived, as CPU time, among 1,000 Pipelines; medians of seven rounds.
Beside the promotion hook stands a path that is not there, for what the client and Starlette take.
Run: `python tests/bench/hints.py [PIPELINES] [EVENTS]`.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import structlog
from doubles.hinting import HookHouse, event, keyed_pipeline

from countersign.watcher.hints.flux_events import read_event

ROUNDS: Final = 7
# Of the requests that are made in the time of one event that is read.
REQUESTS: Final = 20


def noise(number: int, duration_ms: int) -> bytes:
    """As long as a real one; the duration makes each differ, so that Flux sends them all."""
    return event(
        involved={
            "kind": "Kustomization",
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "namespace": "dev-0",
            "name": f"app-{number}",
            "uid": "0" * 36,
            "resourceVersion": "530",
        },
        reason="ReconciliationSucceeded",
        message=f"Reconciliation finished in {duration_ms}.308408ms, next run in 10m0s",
        metadata={"commit_status": "update", "revision": f"main@sha1:{'a' * 40}"},
        timestamp="2026-11-23T06:02:13Z",
        reportingController="kustomize-controller",
        reportingInstance="kustomize-controller-0",
    )


async def hooked(pipelines: int) -> HookHouse:
    house = HookHouse(requests_max=1_000_000)
    for number in range(pipelines):
        made = keyed_pipeline("dev", "prod", kind="Kustomization")
        made["metadata"] |= {"name": f"app-{number}", "uid": f"uid-{number}"}
        made["spec"]["appRef"]["name"] = f"app-{number}"
        await house.hold(made)
    return house


async def cost_us(work: Callable[[], Awaitable[int]]) -> float:
    """CPU time for one of what it did."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        done = await work()
        found.append((time.process_time() - started) / done * 1e6)
    return statistics.median(found)


async def main(*, pipelines: int, events: int) -> None:
    house = await hooked(pipelines)
    said = count()

    async def over_nats() -> int:
        for _ in range(events):
            number = next(said)
            house.hints.on_event(read_event(noises[number % pipelines]))
        return events

    async def by_hook(path: str) -> int:
        for _ in range(events // REQUESTS):
            number = next(said) % pipelines
            await house.post(noises[number], path.format(number))
        return events // REQUESTS

    noises = [noise(number, number) for number in range(pipelines)]
    for number, body in enumerate(noises):
        house.hints.on_event(read_event(body))
        await house.post(body, f"/promotion/shop/app-{number}/dev")
    looks = len(house.looks)
    read = await cost_us(over_nats)
    hook = await cost_us(lambda: by_hook("/promotion/shop/app-{}/dev"))
    absent = await cost_us(lambda: by_hook("/nothing/{}"))
    print(f"event of {len(noises[0])} bytes; looks after the first: {len(house.looks) - looks}")
    print(f"read and dropped: {read:.0f} µs of CPU")
    print(f"signed, by the promotion hook: {hook:.0f} µs; same client, no path: {absent:.0f} µs")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    given = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(
        main(pipelines=given[0] if given else 1000, events=given[1] if len(given) > 1 else 40_000)
    )
