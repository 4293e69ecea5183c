"""A watcher on a real bus, with a directory that a test edits."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from doubles.streams import provision

from countersign.contracts.message import Message
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.bus import Bus, Received, open_bus
from countersign.messaging.projections.follower import follow
from countersign.process.health import Health
from countersign.watcher import bootstrap
from countersign.watcher.settings import Settings

TIMEOUT_S = 15.0


@dataclass
class Heard:
    """What the streams hold, as the gateway sees it."""

    events: list[Received] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def note(self, received: Received) -> None:
        self.events.append(received)
        self.changed.set()

    def forget(self, stream: str) -> None:
        self.events = [r for r in self.events if r.stream != stream]

    def of(self, kind: type[Message]) -> list[Any]:
        return [r.message for r in self.events if isinstance(r.message, kind)]

    async def until_soon(self, met: Callable[[], bool]) -> None:
        """For what no event tells."""
        async with asyncio.timeout(TIMEOUT_S):
            while not met():  # noqa: ASYNC110 - a file does not tell either
                await asyncio.sleep(0.01)

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not met():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with local_server(tmp_path / "bus") as running:
        await provision(running)
        yield running


@pytest.fixture
def cluster_dir(tmp_path: Path) -> Path:
    path = tmp_path / "cluster"
    path.mkdir()
    return path


@pytest.fixture
async def heard(server: LocalServer) -> AsyncIterator[Heard]:
    note = Heard()
    async with open_bus(server.settings("gateway"), service="gateway", health=Health()) as bus:
        streams = ("PROMOTIONS", "PIPELINES")
        job = asyncio.create_task(
            follow(bus, streams=streams, apply=note.note, restarted=note.forget)
        )
        try:
            yield note
        finally:
            job.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job


@pytest.fixture
def empty_bus(server: LocalServer, heard: Heard) -> Callable[[], Awaitable[None]]:
    """Every stream is gone and made anew: nobody has the right to delete one, so the disk goes."""

    async def empty() -> None:
        await server.stop()
        shutil.rmtree(server.directory / "store")
        # Before anybody can tell it again.
        heard.events.clear()
        await server.start()
        await provision(server)

    return empty


@pytest.fixture
async def writer(server: LocalServer) -> AsyncIterator[Bus]:
    """Publishes what the pr-writer would."""
    settings = server.settings("pr-writer")
    async with open_bus(settings, service="pr-writer", health=Health()) as bus:
        yield bus


Watch = Callable[..., AbstractAsyncContextManager[Health]]


@pytest.fixture
def watch(server: LocalServer, cluster_dir: Path) -> Watch:
    @asynccontextmanager
    async def running(*, replica: str = "watcher-0") -> AsyncIterator[Health]:
        health = Health()
        settings = Settings(cluster_dir=cluster_dir, reread_s=2)
        as_watcher = server.settings("watcher", replica=replica)
        async with open_bus(as_watcher, service="watcher", health=health) as bus:
            job = asyncio.create_task(bootstrap.serve(settings, bus, health=health, sources={}))
            try:
                yield health
            finally:
                job.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await job

    return running
