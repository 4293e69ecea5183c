"""What is read of a long answer while its connection is given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from kubernetes_asyncio.client import Configuration

from countersign.contracts.errors import Retryable
from countersign.kube.watches.watching_api import connected

SILENCE_S = 60.0
SOON_S = 20.0
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n"


async def _on_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await reader.read()  # until the other side has had enough
    writer.close()


@asynccontextmanager
async def talking() -> AsyncIterator[Configuration]:
    server = await asyncio.start_server(_on_request, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield Configuration(host=f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("how", ["waiting", "later"])
async def test_answer_whose_connection_is_replaced_is_asked_for_again(how: str) -> None:
    async with talking() as described, AsyncExitStack() as connection:
        api = await connection.enter_async_context(connected(described))

        async with api.lines("/pods", {}, silence_s=SILENCE_S) as lines:
            assert await anext(lines) == b"first"
            further = asyncio.ensure_future(anext(lines)) if how == "waiting" else None
            await asyncio.sleep(0)
            await connection.aclose()
            with pytest.raises(Retryable) as refused:
                await asyncio.wait_for(further or anext(lines), SOON_S)

    assert refused.value.reason == "cluster_unavailable"
