"""`countersign-relay`: hand connections on, so that one address is the same in many Pods.

What binds to loopback alone is reached from elsewhere only by this; for demonstrations and tests.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from countersign.local.refusals import LocalRefusal
from countersign.telemetry.logs import configure_logs

CONNECT_S: Final = 5.0
# Longer than any answer that is waited for, event streams included.
IDLE_S: Final = 3600.0
CONNECTIONS_MAX: Final = 256
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way through the relay: host and port of either end."""

    here: tuple[str, int]
    there: tuple[str, int]


def read_way(text: str) -> Way:
    """Read `host:port=host:port`."""
    here, equals, there = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: want HOST:PORT=HOST:PORT")
    return Way(here=_address(here), there=_address(there))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: want HOST:PORT")
    return host, int(port)


class Relay:
    def __init__(self, way: Way) -> None:
        self._way = way
        self._free = asyncio.Semaphore(CONNECTIONS_MAX)

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, *self._way.here)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._free, asyncio.timeout(IDLE_S):
                await self._hand_on(reader, writer)
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(CONNECT_S):
            far_reader, far_writer = await asyncio.open_connection(*self._way.there)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, far_writer))
                group.create_task(_copy(far_reader, writer))
        except* OSError:
            pass
        finally:
            far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="countersign-relay",
        description="Hands connections on. For demonstrations and tests only.",
    )
    parser.add_argument("ways", nargs="+", type=read_way, metavar="HOST:PORT=HOST:PORT")
    given = parser.parse_args(arguments)
    configure_logs(service="countersign-relay", level="warning")
    try:
        asyncio.run(_run(given.ways))
    except OSError as error:
        print(f"countersign-relay: {LocalRefusal.PORT_TAKEN}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


async def _run(ways: Sequence[Way]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    servers = [await Relay(way).listen() for way in ways]
    await stop.wait()
    for server in servers:
        server.close()
    # Whoever is still connected is cut off with the loop.
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


if __name__ == "__main__":
    sys.exit(main())
