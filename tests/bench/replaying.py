"""How long a service reads the past at its start: finished promotions, and one that is begun again.

Every service's own fold over a real bus, in this process; publishing is not measured.
Run: `.venv/bin/python tests/bench/replaying.py [--promotions 5000] [--begins 2000]`.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.bus import PUBLISHERS, bus, raw
from doubles.extremes import example

from countersign.approval.promotions.pace import Pace
from countersign.approval.promotions.projection import Promotions
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    EVENTS,
    ApprovalBegun,
    ApprovalGranted,
    ApprovalRevoked,
    OpeningStep,
    PromotionCompleted,
    PromotionRef,
    PromotionRequested,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestProgressed,
)
from countersign.contracts.record.decisions import Heard
from countersign.contracts.subjects import INTAKE_ROOT, event_subject
from countersign.gateway.view.projection import Projection as Shown
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.bus import Received
from countersign.messaging.projections.follower import follow
from countersign.messaging.topology.streams import DURABLES, STREAMS
from countersign.pr_writer.parent.projection import Projection as Written
from countersign.watcher.observation.projection import Projection as Watched

STREAM: Final = "PROMOTIONS"
# A hundred environments, as many promotions in each.
ENVIRONMENTS: Final = 100
LIFE: Final[tuple[type[Message], ...]] = (
    PromotionRequested, ApprovalBegun, ApprovalGranted, *[PullRequestProgressed] * 4,
    PullRequestOpened, ApprovalRevoked, PullRequestMerged, PromotionCompleted,
)  # fmt: skip
Apply = Callable[[Received], Awaitable[None]]


def of(model: type[Message], number: int, *, environments: int = ENVIRONMENTS) -> Message:
    ref: PromotionRef = example(PromotionRequested).promotion
    environment = f"prod-{number % environments}"
    own = ref.model_copy(
        update={"promotion_id": f"{number:016d}", "environment": environment, "attempt": 1}
    )
    return example(model).model_copy(update={"promotion": own})


def finished(count: int, *, environments: int = ENVIRONMENTS) -> Iterator[Message]:
    steps = [s for s in OpeningStep if s is not OpeningStep.UNSPECIFIED]
    for number in range(count):
        left = iter(steps)
        for model in LIFE:
            event = of(model, number, environments=environments)
            more = {"step": next(left)} if model is PullRequestProgressed else {}
            yield event.model_copy(update=more)


def begun(count: int) -> Iterator[Message]:
    yield of(PromotionRequested, 0)
    for number in range(count):
        yield of(ApprovalBegun, 0).model_copy(update={"approval_id": f"ap{number}"})


def services() -> dict[str, Apply]:
    def now() -> datetime:
        return datetime.now(UTC)

    watched, shown = Watched(), Shown()
    approved = Promotions(pace=Pace(monotonic_s=time.monotonic, now=now))
    written = Written(clock=now, monotonic=time.monotonic)

    async def watch(received: Received) -> None:
        watched.apply(received.message, sequence=received.sequence, trace=received.trace)

    async def approve(received: Received) -> None:
        await approved.apply(received)

    async def show(received: Received) -> None:
        heard = Heard(sequence=received.sequence, recorded_at=received.recorded_at, traceparent="")
        shown.apply(received.message, stream=STREAM, heard=heard)

    return {
        "watcher": watch,
        "approval": approve,
        "pr-writer": written.apply,
        "gateway": show,
    }


async def publish(server: LocalServer, stack: AsyncExitStack, events: Iterator[Message]) -> int:
    users = {min(EVENTS[model].publishers) for model in LIFE}
    clients = {user: await raw(stack, server, user) for user in users}
    gate, count = asyncio.Semaphore(PUBLISHERS), 0

    async def one(event: Message, number: int) -> None:
        async with gate:
            subject = event_subject(event, root=INTAKE_ROOT)
            client = clients[min(EVENTS[type(event)].publishers)]
            headers = {"Nats-Msg-Id": str(number)}
            await client.request(subject, event.to_json(), timeout=60, headers=headers)

    tasks: set[asyncio.Task[None]] = set()
    for count, event in enumerate(events, 1):
        tasks.add(asyncio.create_task(one(event, count)))
        if len(tasks) >= 8 * PUBLISHERS:
            await asyncio.gather(*tasks)
            tasks.clear()
    await asyncio.gather(*tasks)
    return count


async def replayed(server: LocalServer, user: str, apply: Apply) -> tuple[float, float]:
    """Seconds of the wall and of the processor until it has caught up."""
    async with AsyncExitStack() as stack:
        connected = await bus(stack, server, user)
        caught_up = asyncio.Event()
        began_s, spent_s = time.perf_counter(), time.process_time()
        reading = asyncio.create_task(
            follow(connected, streams=(STREAM,), apply=apply, caught_up=caught_up)
        )
        waiting = asyncio.create_task(caught_up.wait())
        try:
            await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            return time.perf_counter() - began_s, time.process_time() - spent_s
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def measure(name: str, events: Iterator[Message]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with local_server(Path(directory)) as server, AsyncExitStack() as stack:
            topology = await raw(stack, server, "topology")
            await apply_topology(topology, streams=STREAMS.values(), durables=DURABLES.values())
            count = await publish(server, stack, events)
            print(f"{name}: {count} events", flush=True)
            for user, apply in services().items():
                wall_s, cpu_s = await replayed(server, user, apply)
                rate = count / cpu_s if cpu_s else 0.0
                print(f"  {user:<10} {wall_s:7.2f} s, {cpu_s:7.2f} s of CPU, {rate:8.0f} events/s")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--promotions", type=int, default=5_000)
    parser.add_argument("--begins", type=int, default=2_000)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    await measure(f"{options.promotions} finished promotions", finished(options.promotions))
    await measure(f"{options.begins} begins of one promotion", begun(options.begins))


if __name__ == "__main__":
    asyncio.run(main())
