"""Events in order from the bus to the destination: each at least once, none before its turn."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, Protocol

from countersign.bridge.model import BridgeRefusal, Event, Parcel, Shape
from countersign.bridge.shapes.cdevents import cdevent
from countersign.bridge.shapes.cloud_events import binary, structured
from countersign.bridge.shapes.slack import slack
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import EVENTS
from countersign.messaging.reading import ReaderDurable, Reading
from countersign.process.clocks import MACHINE, Clocks
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter
from countersign.telemetry.tracing import SpanKind, span

log = get_logger()

_SENT = "sent"
SENT: Final = counter(
    "bridge_events_total",
    "Events, by what became of them.",
    ("type", "outcome"),
    known=((info.name, word) for info in EVENTS.values() for word in (_SENT, *BridgeRefusal)),
)
AFTER_FIRST: Final = timedelta(seconds=1)
AFTER_MAX: Final = timedelta(minutes=5)
_DOUBLINGS_MAX: Final = 9
_BUS_AWAY_S: Final = 1.0
_PREFIX: Final = "ce-"
SHAPES: Final[Mapping[Shape, Callable[[Event], Parcel | None]]] = {
    Shape.BINARY: binary,
    Shape.STRUCTURED: structured,
    Shape.CDEVENTS: cdevent,
    Shape.SLACK: slack,
}


class Destination(Protocol):
    """The receiver of parcels."""

    async def send(self, parcel: Parcel, *, event_id: str) -> None: ...


class Delivery:
    """Takes from one durable and gives to one destination. Nothing is remembered here: the durable
    holds what was not acknowledged, and counts how often it was tried.
    """

    def __init__(
        self,
        *,
        destination: Destination,
        shape: Shape,
        wanted: frozenset[str],
        clocks: Clocks = MACHINE,
    ) -> None:
        self._sleep = clocks.sleep
        self._destination = destination
        self._shape = SHAPES[shape]
        self._wanted = wanted

    async def run(self, durable: ReaderDurable) -> None:
        """Deliver until cancelled."""
        while True:
            try:
                reading = await durable.next()
                if reading is not None:
                    await self._deliver(reading)
            except Retryable as error:
                log.warning("bridge.bus_away", reason=error.reason)
                await self._sleep(_BUS_AWAY_S)
            except Rejected as error:
                log.error("bridge.malformed", reason=error.reason)  # noqa: TRY400 - no bug of ours

    async def _deliver(self, reading: Reading) -> None:
        name = EVENTS[type(reading.received.message)].name
        event = Event(
            message=reading.received.message,
            attributes={
                header.removeprefix(_PREFIX): value
                for header, value in reading.received.headers.items()
                if header.startswith(_PREFIX)
            },
            body=reading.body,
        )
        parcel = None
        with one_entry("bridge", sequence=reading.received.sequence):
            parcel = self._shape(event) if not self._wanted or name in self._wanted else None
        if parcel is None:
            await reading.done()
            return
        with span(f"send {name}", parent=reading.received.trace, kind=SpanKind.CLIENT):
            outcome = await self._send(reading, event, parcel)
        SENT.labels(type=name, outcome=outcome).inc()

    async def _send(self, reading: Reading, event: Event, parcel: Parcel) -> str:
        try:
            await self._destination.send(parcel, event_id=event.id)
        except Retryable as error:
            tries = reading.received.deliveries
            after = _pause(tries, asked_s=error.after_s)
            log.warning(
                "bridge.put_off", id=event.id, reason=error.message, tries=tries, again=str(after)
            )
            await reading.again(after=after)
            return str(error.reason)
        except Rejected as error:
            log.error("bridge.refused", id=event.id, reason=error.message)  # noqa: TRY400 - no bug of ours
            await reading.done()
            return str(error.reason)
        await reading.done()
        return _SENT


def _pause(tries: int, *, asked_s: float | None) -> timedelta:
    """Return the time until the next try: what was asked for, or twice as long each time."""
    if asked_s is not None:
        return timedelta(seconds=asked_s)
    doubled: timedelta = AFTER_FIRST * 2 ** min(max(tries - 1, 0), _DOUBLINGS_MAX)
    return min(doubled, AFTER_MAX)
