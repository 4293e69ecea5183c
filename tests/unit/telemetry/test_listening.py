"""A server on a real address, and who may call it."""

import asyncio
from typing import Any

import pytest

from countersign.contracts.errors import Rejected
from countersign.telemetry.listening import Receive, Scope, Send, listen, serve

TIMEOUT_S = 10


async def slow_app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Begins its answer at once and ends it when it is told to."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    await scope["app"].wait()
    await send({"type": "http.response.body", "body": b" and ended"})


async def ask(port: Any) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"begun"), TIMEOUT_S)
    return reader, writer


async def test_answer_that_has_begun_is_ended_when_the_server_stops() -> None:
    ending = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await slow_app({**scope, "app": ending}, receive, send)

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve(app, listener, connections_max=4, on_stop=ending.set))
        reader, writer = await ask(port)
        serving.cancel()
        rest = await asyncio.wait_for(reader.read(), TIMEOUT_S)
        writer.close()

    assert b"and ended" in rest
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


def test_address_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Rejected, match=f"cannot listen on 127.0.0.1:{port}: Address already"):
            listen("127.0.0.1", port)
