"""A way to the bus on which a sender dies: once before something is sent, once after.

Stands between one service and a real server, and knows of the protocol only where a publication
begins and ends. The points are found on the way: each kind of event, request, answer
and acknowledgement is one, before and after.
Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_INBOX = "_INBOX_"
_PUBLICATIONS = frozenset({b"PUB", b"HPUB"})


@dataclass
class FatalBus:
    """`kill` ends the service at once; `died_at` are the points at which it did.

    Nobody dies while it is not `is_deadly`.
    """

    kill: Callable[[], None]
    target_port: int = 0
    port: int = 0
    is_deadly: bool = False
    died_at: list[str] = field(default_factory=list)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._publications(reader, far_writer))
                    both.create_task(_answers(far_reader, writer))
            finally:
                far_writer.transport.abort()
        except* (OSError, asyncio.IncompleteReadError):
            pass  # one of the two is gone
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _publications(
        self, reader: asyncio.StreamReader, far_writer: asyncio.StreamWriter
    ) -> None:
        while line := await reader.readline():
            words = line.split()
            if not words or words[0].upper() not in _PUBLICATIONS:
                far_writer.write(line)
                continue
            payload = await reader.readexactly(int(words[-1]) + 2)
            kind = _kind(words[1])
            if kind and self._dies_at(f"before {kind}"):
                raise ConnectionResetError
            far_writer.write(line + payload)
            await far_writer.drain()
            if kind and self._dies_at(f"after {kind}"):
                raise ConnectionResetError
        raise ConnectionResetError

    def _dies_at(self, point: str) -> bool:
        if not self.is_deadly or point in self.died_at:
            return False
        self.died_at.append(point)
        self.kill()
        return True

    async def close(self) -> None:
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


def _kind(subject: bytes) -> str:
    """Return a word for a publication after which something is different; empty for others."""
    words = subject.decode().split(".")
    match words:
        case ["countersign-in", _, noun, verb, *_]:
            return f"{noun}.{verb}"
        case ["countersign-rpc", _, service, method, *_]:
            return f"request {service}.{method}"
        case [inbox, "rpc", *_] if inbox.startswith(_INBOX):
            return f"answer to {inbox.removeprefix(_INBOX)}"
        case ["$JS", "ACK", *_]:
            return "acknowledgement"
    return ""


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    raise ConnectionResetError


@asynccontextmanager
async def fatal_bus(kill: Callable[[], None]) -> AsyncIterator[FatalBus]:
    made = FatalBus(kill)
    server = await asyncio.start_server(made.serve_one, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
