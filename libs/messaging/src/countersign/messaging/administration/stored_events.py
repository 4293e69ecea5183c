"""Events of a stream as they are stored, for archives and for the seals on them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from countersign.contracts.errors import Retryable
from countersign.contracts.record.chain import StoredEvent
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.direct_get import Reader, reader
from countersign.messaging.envelope import SUBJECT, place_of_answer
from countersign.messaging.leader_reads import StreamState, stream_state
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.streams import RECORD

PROMOTIONS: Final = "PROMOTIONS"
CONNECT_TIMEOUT_S: Final = 60.0


async def messages_up_to(stream: Reader, *, last: int, first: int = 1) -> AsyncIterator[Msg]:
    """Read from one sequence to another; ends early where a node has no more, or is behind."""
    sequence = first
    while sequence <= last:
        batch = await stream.batch(sequence=sequence)
        if not batch:
            return
        for message in batch:
            sequence = place_of_answer(message.headers or {}).sequence + 1
            if sequence <= last + 1:
                yield message


def stored_event(message: Msg) -> StoredEvent:
    headers = message.headers or {}
    place = place_of_answer(headers)
    return StoredEvent(
        sequence=place.sequence,
        recorded_at=place.recorded_at.isoformat(),
        subject=headers[SUBJECT],
        id=headers.get("ce-id", ""),
        body=message.data.decode(errors="replace"),
        trace=headers.get("traceparent", ""),
    )


@dataclass(frozen=True)
class StoredPromotions:
    """The stream of promotions, as the user `record` reads it. Made by `open_promotions`."""

    _client: Client
    state: StreamState

    async def events(self, *, first: int) -> AsyncIterator[StoredEvent]:
        """Read from one sequence to what was the last when it was opened."""
        async with reader(self._client, stream=PROMOTIONS) as stream:
            last = self.state.last_sequence
            async for message in messages_up_to(stream, first=first, last=last):
                yield stored_event(message)


@asynccontextmanager
async def open_promotions(settings: BusSettings) -> AsyncIterator[StoredPromotions]:
    """Connect as the user `record`, who may read and nothing else.

    Raises:
        Retryable: the bus does not answer.

    """
    state = ConnectionState(RECORD)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            client = await connect(settings, service=RECORD, state=state)
    except TimeoutError:
        raise Retryable(
            BusRefusal.UNAVAILABLE, f"{settings.nats_url}: {state.reason() or 'no answer'}"
        ) from None
    try:
        yield StoredPromotions(client, await stream_state(client, PROMOTIONS))
    finally:
        await close(client, state)
