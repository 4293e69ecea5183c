"""The ways between the nodes of a bus, each through a relay that can be cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_CHUNK_BYTES = 65_536


@dataclass
class Route:
    """From one node to another. Cut, it loses nothing and passes nothing, as a network that drops
    packets: neither side is told, and both go on where they stood once it is mended.
    """

    target_port: int
    port: int = 0
    _passing: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        self._passing.clear()

    def hang_up(self) -> None:
        """Tell both sides that the connections are gone."""
        for connection in self._connections:
            connection.cancel()

    def mend(self) -> None:
        self._passing.set()

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._passing.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pass_on(reader, far_writer))
                    both.create_task(self._pass_on(far_reader, writer))
            finally:
                far_writer.transport.abort()
        except* OSError:
            pass  # that node is down
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            await self._passing.wait()
            writer.write(chunk)
            await writer.drain()
        raise ConnectionResetError

    async def close(self) -> None:
        self.hang_up()
        await asyncio.gather(*self._connections, return_exceptions=True)


@asynccontextmanager
async def route(target_port: int) -> AsyncIterator[Route]:
    made = Route(target_port)
    made.mend()
    server = await asyncio.start_server(made.serve_one, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
