"""The bus as a reader has it: its own durable, one event at a time, until it is acknowledged.

For programs that stand outside, as tools of others do; services follow streams instead.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext

from countersign.contracts.errors import Rejected, Retryable
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.envelope import Received, place_of_delivery, read_event
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.readers import API_PREFIX, INBOX_OF
from countersign.process.health import Health

FETCH_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One event that waits to be acknowledged."""

    received: Received
    body: bytes
    message: Msg

    async def done(self) -> None:
        """Say that it need not come again.

        Raises:
            Retryable: the bus does not answer; it comes again.

        """
        try:
            await self.message.ack_sync(timeout=FETCH_S)
        except NatsError as error:
            raise Retryable(BusRefusal.UNAVAILABLE, type(error).__name__) from error

    async def again(self, *, after: timedelta) -> None:
        """Have it delivered once more, and nothing before it."""
        await self.message.nak(delay=after.total_seconds())


class ReaderDurable:
    """The durable of a reader on one stream. Made by `open_reader`."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription

    async def next(self) -> Reading | None:
        """The next event, or nothing for a while.

        Raises:
            Retryable: the bus does not answer.
            Rejected: what is there is no event of its subject; it does not come again.

        """
        try:
            (message,) = await self._subscription.fetch(1, timeout=FETCH_S)
        except NatsTimeoutError:
            return None
        except NatsError as error:
            raise Retryable(BusRefusal.UNAVAILABLE, type(error).__name__) from error
        try:
            received = read_event(
                subject=message.subject,
                headers=message.headers or {},
                body=message.data,
                place=place_of_delivery(message.reply),
            )
        except Rejected:
            # It would stand before all others for ever.
            await message.term()
            raise
        return Reading(received=received, body=message.data, message=message)


@asynccontextmanager
async def open_reader(
    settings: BusSettings, *, reader: str, stream: str, health: Health
) -> AsyncIterator[ReaderDurable]:
    """Connect with the key of a reader, however long it takes; `health` tells meanwhile why not.

    Args:
        settings: where the bus is, and the reader's seed.
        reader: its name, as `countersign-topology reader add` was told.
        stream: which of its durables.
        health: of the process.

    """
    state = ConnectionState(f"reader {reader}")
    health.add("bus", state.reason)
    client = await connect(settings, service=INBOX_OF, state=state)
    try:
        api = client.jetstream(prefix=API_PREFIX)
        yield ReaderDurable(
            await api.pull_subscribe_bind(consumer=f"reader-{reader}", stream=stream)
        )
    finally:
        await close(client, state)
