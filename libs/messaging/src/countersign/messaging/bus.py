"""The bus as services see it: publish, ask, answer, work, follow."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.subjects import stream_of
from countersign.contracts.wire.cloud_events import event_source
from countersign.messaging.connection import ConnectionState, Identity, barrier, close, connect
from countersign.messaging.envelope import Received, place_of_answer, read_event
from countersign.messaging.leader_reads import last_on_subject
from countersign.messaging.publishing import AlreadyExists, Published, Stamp, publish_event
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.requests.requester import REQUEST_TIMEOUT_S, Requester
from countersign.messaging.requests.responder import Answer, Call
from countersign.messaging.settings import BusSettings
from countersign.messaging.stream_health import StreamHealth, published_by
from countersign.messaging.wire.client import BusClient
from countersign.messaging.work.worker import Work
from countersign.process.clocks import MACHINE, Clocks
from countersign.process.health import Health

__all__ = [
    "AlreadyExists",
    "Answer",
    "Bus",
    "BusSettings",
    "Call",
    "Published",
    "Received",
    "Work",
    "open_bus",
]


REFUSED_BY_STREAM: Final = frozenset({BusRefusal.STREAM_REFUSED, BusRefusal.NO_STREAM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Intervals at which a projection looks at a silent stream, and asks again after trouble."""

    check_s: float = 5.0
    retry_s: float = 1.0


class Bus:
    """A connected service. Made by `open_bus`."""

    def __init__(self, identity: Identity, *, client: BusClient, state: ConnectionState) -> None:
        self.identity = identity
        self.client = client
        self.state = state
        self.pace = Pace()
        self.streams = StreamHealth(
            published_by(identity.service), monotonic=identity.clocks.monotonic
        )
        self.requester = Requester(client, service=identity.service)

    @property
    def settings(self) -> BusSettings:
        return self.identity.settings

    @property
    def health(self) -> Health:
        return self.identity.health

    @property
    def clocks(self) -> Clocks:
        return self.identity.clocks

    @property
    def replica(self) -> str:
        return self.settings.replica

    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> Published:
        """Publish an event, and wait until it is stored.

        Args:
            event: its type decides the subject.
            message_id: the same for the same event, however often and by whomever it is published.
            create_once: store it only if nothing is on its subject yet.

        Raises:
            AlreadyExists: with `create_once`, something is there.
            Retryable: not known to be stored; publish again under the same id.
            Rejected: the stream does not take it.

        """
        stamp = Stamp(
            source=event_source(self.settings.public_url),
            message_id=message_id,
            at=self.clocks.wall(),
        )
        stream = stream_of(type(event))
        try:
            published = await publish_event(
                self.client, event, stamp=stamp, create_once=create_once
            )
        except AlreadyExists:
            self.streams.stored(stream)
            raise
        except (Rejected, Retryable) as error:
            if error.reason in REFUSED_BY_STREAM:
                self.streams.refused(stream, error.message)
            elif error.reason is BusRefusal.TIMEOUT and self.state.reason() is None:
                self.streams.unanswered(stream)
            raise
        self.streams.stored(stream)
        return published

    def reply_subject(self) -> str:
        """A fresh private subject, for a request that must name where its response goes."""
        return self.requester.reply_subject()

    async def request(
        self,
        name: str,
        request: Message,
        *,
        replica: str = "",
        timeout_s: float = REQUEST_TIMEOUT_S,
        reply: str = "",
    ) -> Message:
        """Ask, and return the response, which may hold a `problem`.

        Args:
            name: of the method, for instance `approval.begin`.
            request: of the type that the method takes.
            replica: which one, exactly where the method is addressed.
            timeout_s: how long to wait for the response.
            reply: one of `reply_subject()`; made where not given.

        Raises:
            Retryable: `no_responder`, `timeout`, `bus_unavailable`.
            Rejected: the response is malformed.

        """
        return await self.requester.request(
            name,
            request,
            replica=replica,
            timeout_s=timeout_s,
            reply=reply or self.reply_subject(),
        )

    async def broadcast(self, name: str, request: Message) -> None:
        """Tell every replica; no response comes."""
        await self.requester.broadcast(name, request)

    async def last(self, model: type[Message], subject: str, *, stream: str) -> Received | None:
        """The last event on a subject, read from the stream itself.

        Raises:
            Retryable: the bus does not answer.
            Rejected: what is there is malformed, or another event than `model`.

        """
        found = await last_on_subject(self.client, stream=stream, subject=subject)
        if found is None:
            return None
        received = read_event(
            subject=found.subject,
            headers=found.headers,
            body=found.body,
            place=place_of_answer(found.headers),
        )
        if not isinstance(received.message, model):
            name = type(received.message).__name__
            raise Rejected(BusRefusal.MALFORMED, f"{subject!r} holds another event: {name}")
        return received

    def serving(
        self, *, answers: Sequence[Answer] = (), work: Sequence[Work] = ()
    ) -> AbstractAsyncContextManager[None]:
        """Answer and work until the block ends."""
        # FastStream costs 20 MB and a third of a second; services that do not serve go without.
        from countersign.messaging.serving import serve  # noqa: PLC0415

        return serve(self.identity, answers=answers, work=work)

    async def flush(self) -> None:
        """Wait until the server has seen what was sent."""
        await barrier(self.client)


@asynccontextmanager
async def open_bus(
    settings: BusSettings, *, service: str, health: Health, clocks: Clocks = MACHINE
) -> AsyncIterator[Bus]:
    """Connect as a service, however long it takes; `health` tells meanwhile why not."""
    state = ConnectionState(f"{service} {settings.replica}")
    health.add("bus", state.reason)
    client = await connect(settings, service=service, state=state)
    identity = Identity(service=service, settings=settings, health=health, clocks=clocks)
    bus = Bus(identity, client=client, state=state)
    if published_by(service):
        health.add("publishing", bus.streams.reason)
    try:
        await bus.requester.start()
        await bus.flush()
        state.connected()
        yield bus
    finally:
        await close(client, state)
