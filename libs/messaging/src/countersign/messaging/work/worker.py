"""One durable at work: deliveries in, settled messages out, heart beats while handlers run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.nuid import NUID

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import DeadLetter
from countersign.contracts.subjects import DEAD_LETTER_ROOT, inbox_prefix, template_of
from countersign.messaging.connection import barrier
from countersign.messaging.envelope import (
    CONTENT_TYPE,
    JSON,
    MESSAGE_ID,
    STEERED,
    STREAM,
    Received,
    place_of_delivery,
    read_event,
)
from countersign.messaging.meters import IN_FLIGHT
from countersign.messaging.publishing import store
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.streams import DURABLES, Durable
from countersign.messaging.work.puller import Puller
from countersign.messaging.work.settling import (
    NAK,
    PROGRESS,
    Delivery,
    expect,
    message_type,
    settle,
)
from countersign.process.clocks import MACHINE, Clocks
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import SpanKind, span

log = get_logger()

# The longest job is a promotion at a slow forge.
WORK_TIMEOUT_S: Final = 300.0
AT_ONCE: Final = 8
_BEATS_PER_WAIT: Final = 3

WorkHandler = Callable[[Received], Awaitable[None]]
GivenUpHandler = Callable[[Received, str], Awaitable[None]]


async def _nothing_to_end(_received: Received, _reason: str) -> None:
    """Leave a message that is given up to the person who reads dead letters."""


@dataclass(frozen=True)
class Work:
    """A durable that this service works on.

    Args:
        durable: its name in `topology.DURABLES`.
        handler: returns when done; raises `Retryable` or `Rejected`.
        at_once: messages handled at the same time.
        timeout_s: how long one may take; then it is tried again.
        on_given_up: ends the matter of a message that becomes a dead letter; where it raises
            `Retryable` or `Rejected`, it is asked again later.

    """

    durable: str
    handler: WorkHandler
    at_once: int = AT_ONCE
    timeout_s: float = WORK_TIMEOUT_S
    on_given_up: GivenUpHandler = _nothing_to_end


class Worker:
    """Takes the messages of one durable; `inbox` is where they come."""

    def __init__(
        self, work: Work, *, client: Client, service: str, clocks: Clocks = MACHINE
    ) -> None:
        self.work = work
        self.durable: Durable = DURABLES[work.durable]
        self.inbox = f"{inbox_prefix(service)}.work.{bytes(NUID().next()).decode()}"
        self.puller = Puller(self.durable, slots=work.at_once, send=self._ask, flush=self._flush)
        self.stopping = False
        self._client = client
        self._service = service
        self._clocks = clocks
        self._running: set[str] = set()
        expect(self.durable)

    async def consume(self, message: Msg) -> None:
        """Take whatever comes to the inbox: work, or a status of the request for work."""
        headers = message.headers or {}
        if "Status" in headers:
            self.puller.told(headers["Status"], headers)
            return
        if not message.reply.startswith("$JS.ACK."):
            log.warning("work.foreign_message", durable=self.durable.name)
            return
        self.puller.delivered()
        in_flight = IN_FLIGHT.labels(durable=self.durable.name)
        in_flight.inc()
        self._running.add(message.reply)
        try:
            if self.stopping:
                await self.settle(message.reply, NAK)
            else:
                await self._work_on(message)
        finally:
            self._running.discard(message.reply)
            in_flight.dec()
            self.puller.finished()

    async def settle(self, reply: str, payload: bytes) -> None:
        try:
            await self._client.publish(reply, payload)
        except NatsError as error:
            # It will be delivered again, and what was done is found done.
            log.warning("work.not_settled", durable=self.durable.name, reason=type(error).__name__)

    async def bury(self, letter: DeadLetter, *, message_id: str) -> None:
        headers = {CONTENT_TYPE: JSON, MESSAGE_ID: message_id}
        subject = f"{DEAD_LETTER_ROOT}.{self._service}.{self.durable.name}"
        await store(self._client, subject, letter.to_json(), headers)

    async def _work_on(self, message: Msg) -> None:
        place = place_of_delivery(message.reply)
        headers = dict(message.headers or {})
        if STREAM in headers:
            # A publisher of ours never sets it: the server's answer was steered into the stream.
            headers[STEERED] = "1"
        delivery = Delivery(
            durable=self.durable.name,
            subject=message.subject,
            reply=message.reply,
            body=message.data,
            place=place,
            tries_max=self.durable.tries_max,
            timeout_s=self.work.timeout_s,
        )

        async def handle() -> None:
            received = read_event(
                subject=message.subject, headers=headers, body=message.data, place=place
            )
            with span(
                f"process {message_type(message.subject)}",
                parent=headers,
                kind=SpanKind.CONSUMER,
                attributes=self._described(delivery),
            ):
                await self.work.handler(received)

        async def give_up(reason: str) -> None:
            try:
                received = read_event(
                    subject=message.subject, headers=headers, body=message.data, place=place
                )
            except Rejected:
                return  # what cannot be read is about nothing
            await self.work.on_given_up(received, reason)

        await settle(delivery, post=self, handle=handle, give_up=give_up, clocks=self._clocks)

    def _described(self, delivery: Delivery) -> dict[str, str | int]:
        return {
            names.MESSAGING_SYSTEM: "nats",
            names.MESSAGING_TEMPLATE: template_of(delivery.subject),
            names.MESSAGING_SUBSCRIPTION: self.durable.name,
            names.MESSAGING_OPERATION: "process",
            names.MESSAGING_OPERATION_TYPE: "process",
            names.MESSAGING_BODY_BYTES: len(delivery.body),
            names.DELIVERIES: delivery.place.deliveries,
        }

    async def beat(self) -> None:
        """Tell the server that what runs is still worked on, before it delivers it again."""
        while True:
            await self._clocks.sleep(self.durable.ack_wait_s / _BEATS_PER_WAIT)
            for reply in tuple(self._running):
                await self.settle(reply, PROGRESS)

    async def _ask(self, subject: str, body: bytes) -> None:
        try:
            await self._client.publish(subject, body, reply=self.inbox)
        except NatsError as error:
            raise Retryable(BusRefusal.UNAVAILABLE, type(error).__name__) from error

    async def _flush(self) -> None:
        await barrier(self._client)
