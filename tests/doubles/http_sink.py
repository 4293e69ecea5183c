"""A receiver of webhooks that fails as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DELIVERED_S_MAX = 30


@dataclass
class Sink:
    """An HTTP server that answers with the statuses it was told, then with 200."""

    statuses: list[int] = field(default_factory=list)
    # Headers, body and the answer, of each request.
    seen: list[tuple[dict[str, str], bytes, int]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status = self.statuses.pop(0) if self.statuses else 200
                self.seen.append((headers, body, status))
                self.news.set()
                writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def taken(self) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for headers, body, status in self.seen if status == 200]

    async def until_taken(self, count: int) -> None:
        async with asyncio.timeout(DELIVERED_S_MAX):
            while len(self.taken) < count:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def listening() -> AsyncIterator[Sink]:
    made = Sink()
    server = await asyncio.start_server(made.on_connection, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield made
    finally:
        server.close()
