"""The bus against raw nats-py in the same run: publish → handled → acknowledged, and projections.

Medians of several rounds. Absolute figures depend on the machine and its neighbours; ratios less.
Run: `.venv/bin/python tests/bench/bus.py [--messages 2000] [--rounds 5]`.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from countersign.contracts.messages import (
    Content,
    Destination,
    ObjectRef,
    PipelineRef,
    PromotionRef,
    PromotionRequested,
    Revision,
)
from countersign.contracts.subjects import INTAKE_ROOT, event_subject, inbox_prefix
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.bus import Bus, Received, Work, open_bus
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.projections.follower import follow
from countersign.messaging.topology.streams import DURABLES, STREAMS
from countersign.process.health import Health

JOBS: Final = "pr-writer-jobs"
NEXT: Final = f"$JS.API.CONSUMER.MSG.NEXT.PROMOTIONS.{JOBS}"
PUBLISHERS: Final = 64
WINDOW: Final = 500
# The goal for work is for the whole way; `backlog` shows the part that FastStream has in it.
GOALS: Final = {"work": "6x", "backlog": "-", "project live": "2x", "replay": "2x"}


def event(number: int) -> PromotionRequested:
    """About a kilobyte, as real ones are."""
    pipeline = PipelineRef(namespace="apps", name="podinfo", uid="0" * 36, generation=3)
    return PromotionRequested(
        promotion=PromotionRef(
            promotion_id=f"{time.time_ns():x}{number}",
            pipeline=pipeline,
            environment="production",
            attempt=1,
        ),
        app=ObjectRef(
            api_version="helm.toolkit.fluxcd.io/v2", kind="HelmRelease", name="podinfo",
            namespace="apps",
        ),
        from_environment="staging",
        content=Content(
            identity="6.9.0@sha256:" + "a" * 64,
            revision=Revision(recorded="6.9.0", version="6.9.0"),
        ),
        current=Revision(recorded="6.8.0", version="6.8.0"),
        destination=Destination(
            origin="https://github.com", owner="acme", repository="fleet", base_branch="main",
            path="clusters/production",
        ),
        marker_key="apps:podinfo:production",
        requested_at=datetime.now(UTC),
    )  # fmt: skip


@dataclass(frozen=True)
class Setting:
    server: LocalServer
    messages: int


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    cases: dict[str, tuple[Case, Case]] = {
        "work": (raw_work, our_work),
        "backlog": (raw_backlog, our_backlog),
        "project live": (raw_live, our_live),
        "replay": (raw_replay, our_replay),
    }
    print(f"{options.messages} messages, {options.rounds} rounds, medians\n")
    print(f"{'path':<14}{'raw msg/s':>12}{'ours msg/s':>12}{'raw/ours':>10}{'goal':>8}")
    for name, pair in cases.items():
        rates: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.rounds):
            for side, case in enumerate(pair):
                rates[side].append(await once(case, options.messages))
        raw, ours = (statistics.median(side) for side in rates)
        print(f"{name:<14}{raw:>12.0f}{ours:>12.0f}{raw / ours:>10.2f}{GOALS[name]:>8}")


Case = Callable[[Setting, AsyncExitStack], Awaitable[float]]


async def once(case: Case, messages: int) -> float:
    """Rate of one case on a server of its own."""
    with tempfile.TemporaryDirectory() as directory:
        async with local_server(Path(directory)) as server, AsyncExitStack() as stack:
            topology = await raw(stack, server, "topology")
            await apply_topology(topology, streams=STREAMS.values(), durables=DURABLES.values())
            return messages / await case(Setting(server, messages), stack)


async def raw(stack: AsyncExitStack, server: LocalServer, user: str) -> Client:
    state = ConnectionState(user)
    client = await connect(server.settings(user), service=user, state=state)
    stack.push_async_callback(close, client, state)
    return client


async def bus(stack: AsyncExitStack, server: LocalServer, user: str) -> Bus:
    settings = server.settings(user)
    return await stack.enter_async_context(open_bus(settings, service=user, health=Health()))


class Countdown:
    def __init__(self, count: int) -> None:
        self.left = count
        self.done = asyncio.Event()

    def one(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.done.set()


async def publish_raw(client: Client, count: int) -> None:
    """Awaited publishes, as many at once as `publish_ours`."""
    gate = asyncio.Semaphore(PUBLISHERS)

    async def one(number: int) -> None:
        async with gate:
            made = event(number)
            subject = event_subject(made, root=INTAKE_ROOT)
            headers = {"Nats-Msg-Id": made.promotion.promotion_id}
            await client.request(subject, made.to_json(), timeout=30, headers=headers)

    await asyncio.gather(*(one(number) for number in range(count)))


async def publish_ours(watcher: Bus, count: int) -> None:
    gate = asyncio.Semaphore(PUBLISHERS)

    async def one(number: int) -> None:
        async with gate:
            made = event(number)
            await watcher.publish(made, message_id=made.promotion.promotion_id)

    await asyncio.gather(*(one(number) for number in range(count)))


async def raw_work(setting: Setting, stack: AsyncExitStack) -> float:
    """Publish, and meanwhile pull, decode and acknowledge, with a window that is never empty."""
    watcher = await raw(stack, setting.server, "watcher")
    started = time.perf_counter()
    left = await pulling(setting, stack)
    await publish_raw(watcher, setting.messages)
    await left.done.wait()
    return time.perf_counter() - started


async def raw_backlog(setting: Setting, stack: AsyncExitStack) -> float:
    """The same, but all was published before."""
    watcher = await raw(stack, setting.server, "watcher")
    await publish_raw(watcher, setting.messages)
    started = time.perf_counter()
    left = await pulling(setting, stack)
    await left.done.wait()
    return time.perf_counter() - started


async def pulling(setting: Setting, stack: AsyncExitStack) -> Countdown:
    writer = await raw(stack, setting.server, "pr-writer")
    left = Countdown(setting.messages)
    inbox = f"{inbox_prefix('pr-writer')}.bench"
    asked = 0

    async def ask(count: int) -> None:
        nonlocal asked
        asked += count
        await writer.publish(
            NEXT, json.dumps({"batch": count, "expires": 30_000_000_000}).encode(), reply=inbox
        )

    async def on_message(message: Msg) -> None:
        nonlocal asked
        asked -= 1
        PromotionRequested.from_json(message.data)
        await writer.publish(message.reply)
        left.one()
        if asked <= WINDOW // 2:
            await ask(WINDOW - asked)

    await writer.subscribe(inbox, cb=on_message)
    await ask(WINDOW)
    return left


async def our_work(setting: Setting, stack: AsyncExitStack) -> float:
    watcher = await bus(stack, setting.server, "watcher")
    left, serve = await serving(setting, stack)
    started = time.perf_counter()
    await stack.enter_async_context(serve)
    await publish_ours(watcher, setting.messages)
    await left.done.wait()
    return time.perf_counter() - started


async def our_backlog(setting: Setting, stack: AsyncExitStack) -> float:
    watcher = await raw(stack, setting.server, "watcher")
    await publish_raw(watcher, setting.messages)
    left, serve = await serving(setting, stack)
    started = time.perf_counter()
    await stack.enter_async_context(serve)
    await left.done.wait()
    return time.perf_counter() - started


async def serving(
    setting: Setting, stack: AsyncExitStack
) -> tuple[Countdown, AbstractAsyncContextManager[None]]:
    writer = await bus(stack, setting.server, "pr-writer")
    left = Countdown(setting.messages)

    async def on_job(_received: Received) -> None:
        left.one()

    return left, writer.serving(work=(Work(JOBS, on_job, at_once=64),))


async def raw_live(setting: Setting, stack: AsyncExitStack) -> float:
    """Hear what is republished, and decode it."""
    watcher = await raw(stack, setting.server, "watcher")
    gateway = await raw(stack, setting.server, "gateway")
    left = Countdown(setting.messages)

    async def on_message(message: Msg) -> None:
        PromotionRequested.from_json(message.data)
        left.one()

    await gateway.subscribe("countersign.v1.promotion.>", cb=on_message)
    await gateway.flush()
    started = time.perf_counter()
    await publish_raw(watcher, setting.messages)
    await left.done.wait()
    return time.perf_counter() - started


async def our_live(setting: Setting, stack: AsyncExitStack) -> float:
    """Raw publishing: what is compared is how it is heard."""
    watcher = await raw(stack, setting.server, "watcher")
    left = await followed(setting, stack)
    started = time.perf_counter()
    await publish_raw(watcher, setting.messages)
    await left.done.wait()
    return time.perf_counter() - started


async def raw_replay(setting: Setting, stack: AsyncExitStack) -> float:
    """All that is stored, in one batch of Direct Get."""
    watcher = await raw(stack, setting.server, "watcher")
    gateway = await raw(stack, setting.server, "gateway")
    await publish_raw(watcher, setting.messages)
    left = Countdown(setting.messages)
    inbox = f"{inbox_prefix('gateway')}.bench"

    async def on_message(message: Msg) -> None:
        if message.data:
            PromotionRequested.from_json(message.data)
            left.one()

    await gateway.subscribe(inbox, cb=on_message)
    started = time.perf_counter()
    body = json.dumps({"seq": 1, "batch": setting.messages}).encode()
    await gateway.publish("$JS.API.DIRECT.GET.PROMOTIONS", body, reply=inbox)
    await left.done.wait()
    return time.perf_counter() - started


async def our_replay(setting: Setting, stack: AsyncExitStack) -> float:
    watcher = await raw(stack, setting.server, "watcher")
    await publish_raw(watcher, setting.messages)
    started = time.perf_counter()
    left = await followed(setting, stack)
    await left.done.wait()
    return time.perf_counter() - started


async def followed(setting: Setting, stack: AsyncExitStack) -> Countdown:
    gateway = await bus(stack, setting.server, "gateway")
    left = Countdown(setting.messages)
    caught_up = asyncio.Event()
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    task = tasks.create_task(
        follow(
            gateway,
            streams=("PROMOTIONS",),
            apply=lambda _received: left.one(),
            caught_up=caught_up,
        )
    )
    stack.callback(task.cancel)
    await caught_up.wait()
    return left


if __name__ == "__main__":
    asyncio.run(main())
