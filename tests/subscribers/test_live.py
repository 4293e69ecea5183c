"""Subscribers, bridge and SDKs on the whole system, while it is disturbed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from doubles.http_sink import Sink, listening
from e2e.systems import bus_pid, system
from subscribers.conftest import HERE, read_lines
from subscribers.programs import Command, killed_at_end, until_printed

from countersign.contracts.errors import Retryable
from countersign.local.demo.layout import Layout, Ports
from countersign.local.demo.programs import READER
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import seed
from countersign.local.demo.walk import walking
from countersign.local.demo.walk.releasing import release
from countersign.messaging.administration import reader_files
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.direct_get import reader
from countersign.messaging.settings import BusSettings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

LANGUAGES = ("go", "ts", "py")
BRIDGE = "hook"
# A durable gives again, after its 10 s, what a killed tool had.
CAUGHT_UP_S_MAX = 150
# Longer than any of them waits for the bus before it looks again.
STALL_S = 3.0


@dataclass(frozen=True)
class Stage:
    """A running system, and who reads it."""

    started: Running
    folder: Path
    sink: Sink
    command: Command

    def environment(self, name: str) -> dict[str, str]:
        """What docs/subscribe.md has a tool export."""
        key = reader_files.seed_of(self.started.layout.bus / "readers", name)
        return {
            **os.environ,
            "NATS_URL": self.url,
            "NATS_NKEY": str(key),
            "READER": name,
            "EVENTS": "countersign.v1.>",
        }

    @property
    def url(self) -> str:
        return self.started.ports.bus_url

    def written(self, language: str) -> list[Any]:
        return [line["id"] for line in read_lines(self.folder / language / "events.ndjson")]

    @property
    def sent(self) -> list[str]:
        return [headers["ce-id"] for headers, _ in self.sink.taken]


@asynccontextmanager
async def subscribers(stage: Stage) -> AsyncIterator[None]:
    """Replay, each by its own durable, until killed."""
    async with AsyncExitStack() as stack:
        for language in LANGUAGES:
            folder = stage.folder / language
            folder.mkdir(exist_ok=True)
            command = stage.command(f"replay.{language}", folder)
            await stack.enter_async_context(
                killed_at_end(command, folder=folder, environment=stage.environment(language))
            )
        bridge = {
            **stage.environment(BRIDGE),
            "COUNTERSIGN_NATS_URL": stage.url,
            "COUNTERSIGN_NKEY_FILE": stage.environment(BRIDGE)["NATS_NKEY"],
            "COUNTERSIGN_BRIDGE_READER": BRIDGE,
            "COUNTERSIGN_BRIDGE_URL": stage.sink.url,
        }
        program = str(Path(sys.executable).with_name("countersign-bridge"))
        await stack.enter_async_context(
            killed_at_end((program,), folder=stage.folder, environment=bridge, stderr=DEVNULL)
        )
        yield


@asynccontextmanager
async def followers(stage: Stage) -> AsyncIterator[list[Path]]:
    """Hear what happens from now on; yields where they print it."""
    async with AsyncExitStack() as stack:
        printed = []
        for language in (*LANGUAGES, "sh"):
            folder = stage.folder / f"follow-{language}"
            folder.mkdir()
            printed.append(folder / "printed")
            await stack.enter_async_context(
                killed_at_end(
                    stage.command(f"follow.{language}", folder),
                    folder=folder,
                    environment=stage.environment(READER),
                    printed=printed[-1],
                )
            )
        yield printed


async def stored(stage: Stage) -> list[dict[str, Any]]:
    """All events of the stream, in its order, as the server itself holds them."""
    settings = BusSettings(
        nats_url=stage.url, nkey_file=stage.started.layout.bus / "keys" / "gateway.nk"
    )
    state = ConnectionState("gateway")
    client = await connect(settings, service="gateway", state=state)
    found: list[dict[str, Any]] = []
    try:
        async with reader(client, stream="PROMOTIONS") as stream:
            while batch := await stream.batch(sequence=len(found) + 1):
                found += [
                    {"headers": dict(m.headers or {}), "body": m.data.decode()} for m in batch
                ]
    finally:
        await close(client, state)
    return found


async def until_caught_up(stage: Stage) -> list[str]:
    """Wait until everybody has what the stream holds; returns its ids."""
    async with asyncio.timeout(CAUGHT_UP_S_MAX):
        while True:
            # It is killed, and started again by the system itself.
            with suppress(Retryable):
                ids = [event["headers"]["ce-id"] for event in await stored(stage)]
                behind = [name for name in LANGUAGES if len(stage.written(name)) < len(ids)]
                if not behind and set(stage.sent) >= set(ids):
                    return ids
            await asyncio.sleep(0.2)


def furnish(layout: Layout, ports: Ports) -> None:
    seed(layout, ports)
    for name in (*LANGUAGES, BRIDGE):
        reader_files.add(layout.bus / "readers", name)


@pytest.fixture
def sdks(request: pytest.FixtureRequest) -> dict[str, tuple[str | Path, ...]]:
    build: Callable[[Path | str, str], Path] = request.getfixturevalue("go_build")
    request.getfixturevalue("node_modules")
    return {
        "go": (build("./sdk", "sdk"),),
        "javascript": ("node", HERE / "sdk/read.mjs"),
        "python": (sys.executable, HERE / "sdk/read.py"),
    }


async def test_subscribers_of_a_running_system_miss_nothing_and_write_nothing_twice(
    tmp_path: Path, command: Command, sdks: dict[str, tuple[str | Path, ...]]
) -> None:
    """The bus killed, the bus standing still, the subscribers away while people promote."""
    async with listening() as sink, system(tmp_path, furnish=furnish) as started:
        stage = Stage(started=started, folder=tmp_path, sink=sink, command=command)
        venue = walking.Venue(ports=started.ports, release=lambda n: release(started.layout, n))
        async with followers(stage) as printed, subscribers(stage):
            await walking.walk_all(venue, say=lambda _: None)
            venue.release("checkout")
            await until_printed(["promotion.requested"], *printed)
            os.kill(_bus(started), signal.SIGKILL)
            before = await until_caught_up(stage)
            bus = _bus(started)
            os.kill(bus, signal.SIGSTOP)
            venue.release("website")
            await asyncio.sleep(STALL_S)
            os.kill(bus, signal.SIGCONT)
            await until_caught_up(stage)
        await walking.walk_all(venue, say=lambda _: None)
        async with subscribers(stage):
            ids = await until_caught_up(stage)
        events = await stored(stage)

    assert len(ids) > len(before) > 0
    for language in LANGUAGES:
        assert stage.written(language)[: len(ids)] == ids, language
    # The bridge may end between an answer and its note of it.
    assert list(dict.fromkeys(stage.sent))[: len(ids)] == ids
    lines = "".join(json.dumps(event) + "\n" for event in events)
    for name, sdk in sdks.items():
        read = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
            sdk, input=lines, text=True, capture_output=True, timeout=60, check=False
        )
        told = [json.loads(line)["id"] for line in read.stdout.splitlines()]
        assert told == [event["headers"]["ce-id"] for event in events], (name, read.stderr)


def _bus(started: Running) -> int:
    found = bus_pid(started)
    assert found is not None
    return found
