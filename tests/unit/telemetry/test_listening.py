"""A server on a real address, and who may call it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from countersign.contracts.errors import Rejected
from countersign.process.http.asgi import Receive, Scope, Send
from countersign.process.http.listening import listen, serve

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


async def reading_app(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answers once it has the whole body, or says that its client left."""
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    status = 200 if message["type"] == "http.request" else 499
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


@asynccontextmanager
async def reading_server(**limits: Any) -> AsyncIterator[int]:
    listener = listen("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve(reading_app, listener, **{"connections_max": 4} | limits))
        yield listener.getsockname()[1]
        serving.cancel()


async def said(port: int, *parts: bytes) -> bytes:
    """What the server says to who sends that and then stays silent, until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.writelines(parts)
    answer = await asyncio.wait_for(reader.read(), TIMEOUT_S)
    writer.close()
    await writer.wait_closed()
    return answer


POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"


async def test_sender_who_does_not_end_the_body_is_told_so_and_hung_up_on() -> None:
    async with reading_server(request_s=0.05) as port:
        answer = await said(port, POST, b"half")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"499" not in answer


async def test_body_that_is_no_http_is_told_so_once_and_no_fault_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def hasty(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    listener = listen("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve(hasty, listener, connections_max=4))
        answer = await said(listener.getsockname()[1], head + b"no length\r\n")
        serving.cancel()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("head", [b"", b"POST / HTTP/1.1\r\nHost: loc"])
async def test_caller_who_does_not_ask_is_hung_up_on(head: bytes) -> None:
    async with reading_server(request_s=0.05) as port:
        assert await said(port, head) == b""


async def test_caller_who_asks_half_a_question_after_a_whole_one_is_hung_up_on() -> None:
    async with reading_server(request_s=0.3) as port:
        answer = await said(port, POST, b"123456789", POST[:20])

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_answer_may_take_longer_than_its_question() -> None:
    ending = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await slow_app({**scope, "app": ending}, receive, send)

    listener = listen("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve(app, listener, connections_max=4, request_s=0.05))
        reader, writer = await ask(listener.getsockname()[1])
        await reader.readuntil(b"\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        ending.set()
        assert b"and ended" in await asyncio.wait_for(reader.read(), TIMEOUT_S)
        writer.close()
        serving.cancel()


async def test_connection_beyond_the_limit_is_told_to_come_back() -> None:
    async with reading_server(connections_max=2) as port:
        first = await asyncio.open_connection("127.0.0.1", port)
        answer = await said(port, POST.replace(b"9", b"0").replace(b"\r\n\r\n", _CLOSE))
        first[1].close()

    assert answer.startswith(b"HTTP/1.1 503 ")


_CLOSE = b"\r\nConnection: close\r\n\r\n"


def test_address_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Rejected, match=f"127.0.0.1:{port}"):
            listen("127.0.0.1", port)
