"""A relay hands bytes on in both directions, and ends with whichever side ends."""

import argparse
import asyncio
from collections.abc import AsyncIterator

import pytest

from countersign.local.relay import Relay, Way, read_way


@pytest.fixture(name="echo")
async def echo_fixture() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def _way(port: int) -> Way:
    return Way(here=("127.0.0.1", 0), there=("127.0.0.1", port))


async def test_relay_hands_on_both_ways_until_both_have_ended(echo: int) -> None:
    async with await Relay(_way(echo)).listen() as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello")
        writer.write_eof()

        assert await reader.read() == b"HELLO"
        writer.close()


async def test_relay_closes_where_nobody_listens() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as gone:
        port = gone.sockets[0].getsockname()[1]

    async with await Relay(_way(port)).listen() as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())

        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("text", ["", "a:1", "a:1=b", "a:x=b:2", ":1=b:2"])
def test_way_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        read_way(text)
