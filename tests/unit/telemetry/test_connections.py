"""A connection that fails is told by its cause, whatever a client wraps it into."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import httpx2
import pytest
from doubles.tls_front import tls_front

from countersign.process.faults.connections import (
    ConnectionFault,
    Unreachable,
    fault_of,
    words_of,
)
from countersign.process.refusals import ProcessRefusal

TIMEOUT_S = 0.5
SECRET = "made-up-secret-in-a-path"


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with closing(socket.socket()) as made:
        made.bind(("127.0.0.1", 0))
        yield made


def url(scheme: str, made: socket.socket) -> str:
    return f"{scheme}://127.0.0.1:{made.getsockname()[1]}/{SECRET}"


async def failed(url: str) -> list[Exception]:
    """The exceptions that each of our clients raises."""
    errors: list[Exception] = []
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            await client.get(url)
    except httpx2.HTTPError as error:
        errors.append(error)
    timeout = aiohttp.ClientTimeout(sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url):
            pass
    except (OSError, aiohttp.ClientError) as error:
        errors.append(error)
    return errors


def told(errors: list[Exception]) -> list[ConnectionFault]:
    assert all(SECRET not in words_of(error) for error in errors)
    return [fault_of(error) for error in errors]


async def test_name_that_nobody_knows_is_told() -> None:
    errors = await failed(f"https://forge.invalid/{SECRET}")

    assert told(errors) == [ConnectionFault.NAME_UNKNOWN] * 2


async def test_port_where_nobody_listens_is_told(bound: socket.socket) -> None:
    assert told(await failed(url("https", bound))) == [ConnectionFault.REFUSED] * 2


async def test_port_where_nobody_listens_is_told_of_a_name_with_two_addresses(
    bound: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `localhost` is on most machines: each address fails for itself."""
    port = bound.getsockname()[1]
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
        for host in ("127.0.0.1", "127.0.0.2")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)

    errors = await failed(f"http://forge.test:{port}/{SECRET}")
    try:
        await asyncio.open_connection("forge.test", port)
    except OSError as error:
        errors.append(error)

    assert told(errors) == [ConnectionFault.REFUSED] * 3


async def test_listener_that_never_answers_is_told(bound: socket.socket) -> None:
    bound.listen()

    assert told(await failed(url("http", bound))) == [ConnectionFault.TIMED_OUT] * 2


async def test_listener_without_tls_is_told() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        errors = await failed(url("https", server.sockets[0]))

    assert told(errors) == [ConnectionFault.NOT_TLS] * 2


async def test_certificate_of_an_unknown_authority_is_told(
    tmp_path: Path, bound: socket.socket
) -> None:
    async with tls_front(tmp_path, port=bound.getsockname()[1]) as front:
        errors = await failed(f"{front.origin}/{SECRET}")

    assert told(errors) == [ConnectionFault.NOT_TRUSTED] * 2
    for error in errors:
        refused = Unreachable(ProcessRefusal.ADDRESS, "x", error, trust="caFile")
        assert refused.message.endswith("caFile")


def test_anything_else_is_told_by_its_type_alone() -> None:
    error = httpx2.ReadError(SECRET)

    assert fault_of(error) is ConnectionFault.BROKEN
    assert words_of(error) == "ReadError"


def test_causes_that_go_round_in_a_ring_come_to_an_end() -> None:
    one, other = OSError(), OSError()
    one.__cause__, other.__cause__ = other, one

    assert fault_of(one) is ConnectionFault.BROKEN
