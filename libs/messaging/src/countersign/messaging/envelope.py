"""Messages on the wire: CloudEvents headers around a canonical body, and back.

CloudEvents in NATS, binary mode, with each attribute in a header of its own, the trace too:
https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/nats-protocol-binding.md
https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.subjects import event_model, event_subject
from countersign.contracts.wire.cloud_events import (
    DATA_CONTENT_TYPE,
    SPEC_VERSION,
    event_about,
    event_type,
    schema_id,
)
from countersign.messaging.refusals import BusRefusal
from countersign.telemetry.tracing import trace_of

CONTENT_TYPE: Final = "content-type"
JSON: Final = DATA_CONTENT_TYPE
MESSAGE_ID: Final = "Nats-Msg-Id"
EXPECTED_LAST_SUBJECT_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
STREAM: Final = "Nats-Stream"
SUBJECT: Final = "Nats-Subject"
SEQUENCE: Final = "Nats-Sequence"
TIME: Final = "Nats-Time-Stamp"
# Set by `connection` on a message that the server's own answer was steered into a stream with.
STEERED: Final = "countersign-steered"


@dataclass(frozen=True, kw_only=True)
class Received:
    """An event as it is stored; `recorded_at` is the stream's time, `deliveries` counts from 1."""

    message: Message
    subject: str
    stream: str
    sequence: int
    recorded_at: datetime
    headers: Mapping[str, str]
    deliveries: int = 1

    @property
    def message_id(self) -> str:
        return self.headers.get("ce-id", "")

    @property
    def trace(self) -> dict[str, str]:
        """The headers that carry its trace on."""
        return trace_of(self.headers)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A position in a stream, and how often the message there was delivered."""

    stream: str
    sequence: int
    recorded_at: datetime
    deliveries: int = 1


def event_headers(
    event: Message, *, source: str, message_id: str, at: datetime, trace: Mapping[str, str]
) -> dict[str, str]:
    """The headers of an event.

    Args:
        event: its type decides what it is called.
        source: the installation, as `cloud_events.event_source` names it.
        message_id: the same for the same event, whoever publishes it.
        at: now.
        trace: headers of the trace it belongs to.

    """
    return {
        "ce-specversion": SPEC_VERSION,
        "ce-id": message_id,
        "ce-source": source,
        "ce-type": event_type(type(event)),
        "ce-subject": event_about(event),
        "ce-time": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ce-datacontenttype": DATA_CONTENT_TYPE,
        "ce-dataschema": schema_id(type(event).__name__),
        CONTENT_TYPE: DATA_CONTENT_TYPE,
        MESSAGE_ID: message_id,
        **{f"ce-{name}": value for name, value in trace.items()},
        **trace,
    }


def read_event(*, subject: str, headers: Mapping[str, str], body: bytes, place: Place) -> Received:
    """Make a stored message an event.

    Raises:
        Rejected: `malformed`, also when the body is of something else than its subject names;
            `steered`, when it is the server's answer to somebody's request and no publisher's.

    """
    if STEERED in headers:
        raise Rejected(
            BusRefusal.STEERED, f"{place.stream} {place.sequence}: not published by a service"
        )
    model = event_model(subject)
    if model is None:
        raise Rejected(
            BusRefusal.MALFORMED, f"{place.stream} {place.sequence}: no such event: {subject!r}"
        )
    message = model.from_json(body)
    if event_subject(message) != subject:
        raise Rejected(
            BusRefusal.MALFORMED, f"{place.stream} {place.sequence}: body is not of {subject!r}"
        )
    return Received(
        message=message,
        subject=subject,
        stream=place.stream,
        sequence=place.sequence,
        recorded_at=place.recorded_at,
        headers=headers,
        deliveries=place.deliveries,
    )


def place_of_answer(headers: Mapping[str, str]) -> Place:
    """Return the place of a message that Direct Get or a republishing stream sent."""
    return Place(
        stream=headers[STREAM],
        sequence=int(headers[SEQUENCE]),
        recorded_at=parse_time(headers[TIME]),
    )


def place_of_delivery(reply: str) -> Place:
    """Return the place of a message that a consumer delivered, by its reply subject.

    Both forms: `$JS.ACK.<stream>.…` and `$JS.ACK.<domain>.<account>.<stream>.…`.
    Source: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-15.md
    """
    tokens = reply.split(".")
    shift = 0 if len(tokens) == _ACK_TOKENS_V1 else 2
    if len(tokens) < _ACK_TOKENS_V1 or tokens[:2] != ["$JS", "ACK"]:
        raise ValueError("not delivered by a consumer")
    return Place(
        stream=tokens[2 + shift],
        deliveries=int(tokens[4 + shift]),
        sequence=int(tokens[5 + shift]),
        # Cut off, as `parse_time` does: the same message must have the same time either way.
        recorded_at=_EPOCH + timedelta(microseconds=int(tokens[7 + shift]) // 1_000),
    )


def parse_time(text: str) -> datetime:
    """RFC 3339 in UTC with up to nine digits, of which a `datetime` holds six."""
    return datetime.fromisoformat(text)


_EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)
_ACK_TOKENS_V1: Final = 9
