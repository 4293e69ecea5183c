"""Reading a stream without a consumer: Direct Get, in batches.

It is answered by the node one is connected to, which may be behind the stream's leader.

Source: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-31.md
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from countersign.contracts.errors import Retryable
from countersign.messaging.connection import ask
from countersign.messaging.envelope import TIME, parse_time
from countersign.messaging.refusals import BusRefusal

ANSWER_TIMEOUT_S: Final = 5.0
BATCH_MESSAGES: Final = 512
BATCH_BYTES: Final = 8 * 1024 * 1024
_END: Final = "204"
_NOT_FOUND: Final = "404"


class Reader:
    """Reads batches of one stream; not to be used twice at a time."""

    def __init__(self, client: Client, *, stream: str, inbox: str) -> None:
        self._client = client
        self._stream = stream
        self._inbox = inbox
        self._round = 0
        self._answers: asyncio.Queue[Msg] = asyncio.Queue()

    async def on_answer(self, message: Msg) -> None:
        if message.subject == f"{self._inbox}.{self._round}":
            self._answers.put_nowait(message)

    async def batch(self, *, sequence: int) -> list[Msg]:
        """Messages from `sequence` on, a batch at most; empty where that node has no more.

        Raises:
            Retryable: the bus does not answer, or not in time.

        """
        self._round += 1
        while not self._answers.empty():
            self._answers.get_nowait()
        body = {"seq": max(sequence, 1), "batch": BATCH_MESSAGES, "max_bytes": BATCH_BYTES}
        await self._publish(json.dumps(body).encode())
        found: list[Msg] = []
        while True:
            message = await self._next()
            status = (message.headers or {}).get("Status")
            if status is None:
                found.append(message)
            elif status in {_END, _NOT_FOUND}:
                return found
            else:
                raise Retryable(BusRefusal.UNAVAILABLE, f"{self._stream}: status {status}")

    async def _publish(self, body: bytes) -> None:
        subject = f"$JS.API.DIRECT.GET.{self._stream}"
        try:
            await self._client.publish(subject, body, reply=f"{self._inbox}.{self._round}")
        except NatsError as error:
            name = type(error).__name__
            raise Retryable(BusRefusal.UNAVAILABLE, f"{self._stream}: {name}") from error

    async def _next(self) -> Msg:
        if not self._answers.empty():
            return self._answers.get_nowait()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self._answers.get()
        except TimeoutError:
            raise Retryable(BusRefusal.TIMEOUT, f"no answer about {self._stream}") from None


@asynccontextmanager
async def reader(client: Client, *, stream: str) -> AsyncIterator[Reader]:
    inbox = client.new_inbox()
    made = Reader(client, stream=stream, inbox=inbox)
    subscription = await client.subscribe(f"{inbox}.*", cb=made.on_answer)
    try:
        yield made
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()


async def recorded_at(client: Client, *, stream: str, sequence: int) -> datetime | None:
    """Return when a message was stored; None where the node that answers does not hold it.

    Raises:
        Retryable: the bus does not answer.

    """
    body = json.dumps({"seq": sequence}).encode()
    try:
        answer = await ask(client, f"$JS.API.DIRECT.GET.{stream}", body, timeout_s=ANSWER_TIMEOUT_S)
    except NatsError as error:
        raise Retryable(BusRefusal.UNAVAILABLE, f"{stream}: {type(error).__name__}") from error
    headers = answer.headers or {}
    return parse_time(headers[TIME]) if TIME in headers else None
