"""What the bus itself tells of a running system: live as any tool hears it, and as it is stored."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from nats.aio.msg import Msg

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import PromotionRequested
from countersign.contracts.promotion import Promotion
from countersign.contracts.subjects import EVENT_ROOT
from countersign.local.demo.programs import READER
from countersign.local.demo.running import Running
from countersign.messaging.administration.provisioning import Buried, dead_letters
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.direct_get import reader
from countersign.messaging.envelope import SUBJECT, Received, place_of_answer, read_event
from countersign.messaging.leader_reads import stream_state
from countersign.messaging.settings import BusSettings
from countersign.messaging.wire.client import BusClient

# Message ids of what a nemesis published a second time.
REPEATED: Final = "nemesis."
_LETTERS_MAX: Final = 100


@asynccontextmanager
async def connected(started: Running, user: str) -> AsyncIterator[BusClient]:
    """The bus, as one of its users."""
    url = f"nats://127.0.0.1:{started.ports.bus}"
    folder = "readers" if user == READER else "keys"
    settings = BusSettings(nats_url=url, nkey_file=started.layout.bus / folder / f"{user}.nk")
    state = ConnectionState(f"witness {user}")
    client = await connect(settings, service=user, state=state)
    try:
        yield client
    finally:
        await close(client, state)


@dataclass
class Witness:
    """Hears every event with the rights of a reader, as other tools have them."""

    heard: list[Received] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(
        self, wanted: Callable[[Message], bool], *, after: int = 0, seconds_max: float
    ) -> Received:
        """The first event after so many that is wanted.

        Raises:
            TimeoutError: none came.

        """
        async with asyncio.timeout(seconds_max):
            while True:
                found = next((r for r in self.heard[after:] if wanted(r.message)), None)
                if found is not None:
                    return found
                self._news.clear()
                await self._news.wait()

    async def on_message(self, message: Msg) -> None:
        self.heard.append(_received(message))
        self._news.set()


@asynccontextmanager
async def witnessing(started: Running) -> AsyncIterator[Witness]:
    witness = Witness()
    async with connected(started, READER) as client:
        await client.subscribe(f"{EVENT_ROOT}.>", cb=witness.on_message)
        await client.flush()
        yield witness


def _received(message: Msg) -> Received:
    headers = message.headers or {}
    return read_event(
        subject=headers.get(SUBJECT, message.subject),
        headers=headers,
        body=message.data,
        place=place_of_answer(headers),
    )


async def stored(started: Running, *, stream: str = "PROMOTIONS") -> list[Received]:
    """All that a stream holds; nothing may be missing in it."""
    found: list[Received] = []
    async with connected(started, "gateway") as client, reader(client, stream=stream) as batches:
        last = (await stream_state(client, stream)).last_sequence
        while len(found) < last:
            batch = await batches.batch(sequence=len(found) + 1)
            assert batch, f"{stream} ends at {len(found)}, not at {last}"
            found.extend(map(_received, batch))
    assert [r.sequence for r in found] == list(range(1, last + 1))
    return found


async def letters(started: Running) -> list[Buried]:
    async with connected(started, "topology") as client:
        return await dead_letters(client, limit=_LETTERS_MAX)


def by_promotion(events: list[Received]) -> dict[str, list[Received]]:
    found: dict[str, list[Received]] = {}
    for received in events:
        ref = getattr(received.message, "promotion", None)
        if ref is not None:
            found.setdefault(ref.promotion_id, []).append(received)
    return found


def since_requested(events: list[Received]) -> list[Received]:
    """Without what services that had not noticed the loss of a stream still said of its content."""
    requested: set[str] = set()
    kept = []
    for received in events:
        ref = getattr(received.message, "promotion", None)
        if isinstance(received.message, PromotionRequested):
            requested.add(received.message.promotion.promotion_id)
        if ref is None or ref.promotion_id in requested:
            kept.append(received)
    return kept


def folded(events: list[Received]) -> Promotion:
    """What becomes of a promotion by its events."""
    promotion: Promotion | None = None
    for received in events:
        promotion = advance(promotion, received.message)
    assert promotion is not None, f"no request: {[r.subject for r in events]}"
    return promotion


def is_repeated(received: Received) -> bool:
    return received.message_id.startswith(REPEATED)
