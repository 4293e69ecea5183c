"""What is read of a long answer while its connection is given up."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from kubernetes_asyncio.client import Configuration

from countersign.contracts.errors import Retryable
from countersign.kube.watching_api import connected

SILENCE_S = 5.0
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n"


async def _on_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await reader.read()  # until the other side has had enough
    writer.close()


async def test_answer_whose_connection_is_replaced_is_asked_for_again() -> None:
    server = await asyncio.start_server(_on_request, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncExitStack() as connection:
        described = Configuration(host=f"http://127.0.0.1:{port}")
        api = await connection.enter_async_context(connected(described))

        async with api.lines("/pods", {}, silence_s=SILENCE_S) as lines:
            assert await anext(lines) == b"first"
            await connection.aclose()
            with pytest.raises(Retryable) as refused:
                await anext(lines)

    assert refused.value.reason == "cluster_unavailable"
