"""The disk of the bus is full, and has room again: a file system of a few megabytes, its own.

It is mounted in a namespace, so it needs `unshare` and leave to use it, but no root.
`make chaos` runs this.
"""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from doubles.streams import provision
from integration.messaging.conftest import until
from integration.messaging.test_follower import Seen, following

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import free_port
from countersign.messaging.administration.local_server import binary
from countersign.messaging.administration.server_config import (
    ServerOptions,
    make_keys,
    server_config,
)
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.settings import BusSettings
from countersign.process.health import Health

pytestmark = pytest.mark.timeout(300)

FACT_S_MAX: Final = 60.0
SMALL, LARGE = "6m", "64m"
EVENT_BYTES: Final = 200_000
EVENTS_MAX: Final = 200


@dataclass
class SmallDisk:
    """A server whose store is on a disk of its own; `holder` keeps that mounted."""

    directory: Path
    holder: Process
    port: int = field(default_factory=free_port)
    server: Process | None = None

    @property
    def keys(self) -> Path:
        return self.directory / "keys"

    @property
    def store(self) -> Path:
        return self.directory / "store"

    def settings(self, user: str) -> BusSettings:
        url = f"nats://127.0.0.1:{self.port}"
        return BusSettings(nats_url=url, nkey_file=self.keys / f"{user}.nk")

    async def start(self) -> None:
        config = self.directory / "nats-server.conf"
        options = ServerOptions(store_dir=self.store / "jetstream", port=self.port)
        config.write_text(server_config(make_keys(self.keys), options))
        log = str(self.directory / "nats-server.log")
        self.server = await self._inside(binary(), "-c", str(config), "-l", log)

    async def kill(self) -> None:
        if self.server is not None and self.server.returncode is None:
            self.server.kill()
            await self.server.wait()

    async def resize(self, size: str) -> None:
        process = await self._inside("mount", "-o", f"remount,size={size}", str(self.store))
        assert await process.wait() == 0

    async def _inside(self, *command: str) -> Process:
        enter = ("nsenter", "-t", str(self.holder.pid), "-U", "-m", "--preserve-credentials")
        return await asyncio.create_subprocess_exec(*enter, *command, stdin=DEVNULL)


@asynccontextmanager
async def small_disk(directory: Path) -> AsyncIterator[SmallDisk]:
    store, mounted = directory / "store", directory / "mounted"
    store.mkdir()
    mount = f"mount -t tmpfs -o size={SMALL} none '{store}' && touch '{mounted}' && exec sleep 600"
    holder = await asyncio.create_subprocess_exec("unshare", "-rm", "sh", "-c", mount)
    disk = SmallDisk(directory, holder)
    try:
        await until(mounted.exists, timeout_s=FACT_S_MAX)
        await disk.start()
        yield disk
    finally:
        await disk.kill()
        holder.send_signal(signal.SIGKILL)
        await holder.wait()


async def test_full_disk_is_told_and_loses_nothing_that_was_acknowledged(
    tmp_path: Path, requested: Callable[..., Any]
) -> None:
    health = Health()
    async with small_disk(tmp_path) as disk, AsyncExitStack() as stack:
        await provision(disk)
        opened = open_bus(disk.settings("watcher"), service="watcher", health=health)
        bus = await stack.enter_async_context(opened)
        seen = await stack.enter_async_context(following(bus))

        stored = await _fill(bus, requested)
        refused = f"m{len(stored)}"
        await _refused_again(bus, requested, refused)
        assert "PROMOTIONS" in health.not_ready().get("publishing", ""), health.not_ready()
        assert health.not_live() == {}

        await disk.resize(LARGE)
        await disk.kill()
        await disk.start()
        await until(lambda: "bus" not in health.not_ready(), timeout_s=FACT_S_MAX)
        stored[refused] = await _insist(bus, requested, refused)
        await until(lambda: set(stored) <= set(seen.ids), timeout_s=FACT_S_MAX)
        assert health.not_ready() == {}

    _assert_once_each(seen, stored)


async def _fill(bus: Bus, requested: Callable[..., Any]) -> dict[str, int]:
    """Publish until an event is refused; the sequences of those that were not."""
    stored: dict[str, int] = {}
    for number in range(EVENTS_MAX):
        event = requested(f"p{number}", padding="x" * EVENT_BYTES)
        try:
            published = await bus.publish(event, message_id=f"m{number}")
        except (Rejected, Retryable):
            return stored
        stored[f"m{number}"] = published.sequence
    raise AssertionError("the disk was never full")


async def _refused_again(bus: Bus, requested: Callable[..., Any], name: str) -> None:
    """A publisher tries again; one time that no answer came tells nothing."""
    with pytest.raises((Rejected, Retryable)):
        await bus.publish(requested(f"p{name[1:]}", padding="x" * EVENT_BYTES), message_id=name)


async def _insist(bus: Bus, requested: Callable[..., Any], name: str) -> int:
    async with asyncio.timeout(FACT_S_MAX):
        while True:
            with suppress(Retryable):
                event = requested(f"p{name[1:]}", padding="x" * EVENT_BYTES)
                return (await bus.publish(event, message_id=name)).sequence
            await asyncio.sleep(0.2)


def _assert_once_each(seen: Seen, stored: dict[str, int]) -> None:
    where = [(received.message_id, received.sequence) for received in seen.received]
    assert sorted(where) == sorted(stored.items())
    assert seen.restarts == []
