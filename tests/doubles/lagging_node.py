"""A node of the bus that is behind its stream's leader, and answers Direct Get with what it has.

Stands between a client and a real server. All else passes through, so that the leader's answers and
what the stream republishes come at once, as they do in a cluster of which one replica is slow.
Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_DIRECT_GET = b"$JS.API.DIRECT.GET."
_NOT_FOUND = b"NATS/1.0 404 Message Not Found\r\n\r\n"


@dataclass
class LaggingNode:
    """`holds` is the last sequence that it has, of any stream; `None` means all of them."""

    upstream_port: int
    holds: int | None = None
    asked: list[int] = field(default_factory=list)
    port: int = 0
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        inboxes: dict[bytes, bytes] = {}
        try:
            async with asyncio.TaskGroup() as tasks:
                back = tasks.create_task(_pass_on(far_reader, writer))
                await self._forward(reader, far_writer, answers=writer, inboxes=inboxes)
                back.cancel()
        except* (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            far_writer.close()
            writer.close()
            await asyncio.gather(
                far_writer.wait_closed(), writer.wait_closed(), return_exceptions=True
            )

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
        *,
        answers: asyncio.StreamWriter,
        inboxes: dict[bytes, bytes],
    ) -> None:
        while line := await reader.readline():
            words = line.split()
            verb = words[0].upper() if words else b""
            if verb == b"SUB":
                inboxes[words[1]] = words[-1]
            if verb not in {b"PUB", b"HPUB"}:
                far_writer.write(line)
                continue
            payload = await reader.readexactly(int(words[-1]) + 2)
            if words[1].startswith(_DIRECT_GET) and verb == b"PUB" and self.holds is not None:
                payload = self._cut(payload)
                if not payload:
                    answers.write(_not_found(words[2], inboxes))
                    continue
                words[-1] = str(len(payload) - 2).encode()
                line = b" ".join(words) + b"\r\n"
            far_writer.write(line + payload)

    def _cut(self, payload: bytes) -> bytes:
        """The request, for no more than it holds; empty where that is nothing."""
        asked = json.loads(payload)
        sequence = asked.get("seq")
        if sequence is None or self.holds is None:
            return payload
        self.asked.append(sequence)
        if sequence > self.holds:
            return b""
        if "batch" in asked:
            # Right where the stream has no holes.
            asked["batch"] = min(asked["batch"], self.holds - sequence + 1)
        return json.dumps(asked).encode() + b"\r\n"


def _not_found(reply: bytes, inboxes: dict[bytes, bytes]) -> bytes:
    sid = next(sid for subject, sid in inboxes.items() if _covers(subject, reply))
    size = str(len(_NOT_FOUND)).encode()
    return b"HMSG %s %s %s %s\r\n%s\r\n" % (reply, sid, size, size, _NOT_FOUND)


def _covers(pattern: bytes, subject: bytes) -> bool:
    if pattern.endswith(b"*"):
        return subject.rpartition(b".")[0] == pattern.rpartition(b".")[0]
    return pattern == subject or (pattern.endswith(b">") and subject.startswith(pattern[:-1]))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def lagging_node(upstream_port: int) -> AsyncIterator[LaggingNode]:
    node = LaggingNode(upstream_port=upstream_port)
    server = await asyncio.start_server(node.serve_one, "127.0.0.1", 0)
    node.port = server.sockets[0].getsockname()[1]
    try:
        yield node
    finally:
        server.close()
        for connection in node.connections:
            connection.cancel()
        await asyncio.gather(*node.connections, return_exceptions=True)
