"""Asking for work: never for more than there are hands, and calmly when there is none."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

from countersign.contracts.errors import Retryable
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.streams import DURABLES
from countersign.messaging.work import puller
from countersign.messaging.work.puller import Puller


class Server:
    """What was asked of it; `refusing` answers each request with a status."""

    def __init__(self) -> None:
        self.asked = []
        self.refusing = None
        self.puller = Puller(DURABLES["pr-writer-jobs"], slots=4, send=self.send, flush=self.flush)
        self.heard = asyncio.Event()

    async def send(self, subject: str, body: bytes) -> None:
        self.asked.append((subject, json.loads(body)["batch"]))
        self.heard.set()
        if self.refusing is not None:
            self.puller.told(*self.refusing)

    async def flush(self) -> None:
        pass

    async def request(self) -> Any:
        async with asyncio.timeout(5):
            await self.heard.wait()
        self.heard.clear()
        return self.asked[-1][1]


@asynccontextmanager
async def running() -> Any:
    server = Server()
    task = asyncio.create_task(server.puller.run())
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_asks_for_as_many_as_there_are_hands() -> None:
    async with running() as server:
        assert await server.request() == 4
        assert server.asked[0][0] == "$JS.API.CONSUMER.MSG.NEXT.PROMOTIONS.pr-writer-jobs"
        assert server.puller.reason() is None


async def test_it_asks_again_only_when_half_of_the_hands_are_free() -> None:
    async with running() as server:
        await server.request()
        for _ in range(4):
            server.puller.delivered()
        server.puller.finished()
        await asyncio.sleep(0)
        assert len(server.asked) == 1 or server.asked[1][1] == 1

        server.puller.finished()
        server.puller.finished()
        await server.request()

    assert sum(batch for _, batch in server.asked[1:]) <= 3


async def test_busy_hands_are_not_promised() -> None:
    async with running() as server:
        await server.request()
        for _ in range(4):
            server.puller.delivered()
        server.puller.told("408", {"Nats-Pending-Messages": "0"})
        await asyncio.sleep(0.01)

    assert len(server.asked) == 1


async def test_expired_request_is_made_again() -> None:
    async with running() as server:
        await server.request()
        server.puller.told("408", {"Nats-Pending-Messages": "4"})
        assert await server.request() == 4


async def test_missing_durable_is_told_and_asked_for_calmly(monkeypatch: Any) -> None:
    monkeypatch.setattr(puller, "RETRY_S", 0.05)
    async with running() as server:
        server.refusing = ("503", {})
        await server.request()
        await server.request()
        assert "missing" in server.puller.reason()
        server.refusing = None
        await server.request()
        server.puller.told("100", {"Description": "Idle Heartbeat"})
        assert server.puller.reason() is None

    assert len(server.asked) <= 4


async def test_bus_that_cannot_be_asked_is_told_and_asked_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(puller, "RETRY_S", 0.02)
    async with running() as server:
        honest = server.puller._send

        async def failing(_subject: str, _body: bytes) -> None:
            raise Retryable(BusRefusal.UNAVAILABLE, "OutboundBufferLimitError")

        server.puller._send = failing
        await asyncio.sleep(0)
        assert server.puller.reason() == "OutboundBufferLimitError"
        server.puller._send = honest
        assert await server.request() == 4


async def test_deleted_durable_is_told() -> None:
    async with running() as server:
        await server.request()
        server.puller.told("409", {"Description": "Consumer Deleted"})
        assert "missing" in server.puller.reason()


async def test_silent_server_is_told_and_asked_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(puller, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr(puller, "SILENCE_MAX_S", 0.05)
    monkeypatch.setattr(puller, "RETRY_S", 0.02)
    async with running() as server:
        await server.request()
        assert await server.request() == 4


async def test_heartbeat_is_no_silence() -> None:
    async with running() as server:
        await server.request()
        server.puller.told("100", {"Description": "Idle Heartbeat"})
        assert server.puller.reason() is None
    assert len(server.asked) == 1


async def test_reconnection_forgets_what_was_asked() -> None:
    async with running() as server:
        await server.request()
        server.puller.reconnected()
        assert await server.request() == 4
