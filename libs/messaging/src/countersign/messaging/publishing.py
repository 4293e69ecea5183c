"""Events on their way into a stream."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS
from countersign.contracts.subjects import INTAKE_ROOT, event_subject, event_template
from countersign.messaging.connection import ask
from countersign.messaging.envelope import EXPECTED_LAST_SUBJECT_SEQUENCE, event_headers
from countersign.messaging.meters import PUBLISHED_SECONDS
from countersign.messaging.refusals import BusRefusal
from countersign.telemetry import attributes as names
from countersign.telemetry.stopwatch import stopwatch
from countersign.telemetry.tracing import SpanKind, carrier, span

PUBLISH_TIMEOUT_S: Final = 5.0
# The server hangs up on a control line over 4,096 bytes, which a reply and sizes are part of too.
SUBJECT_BYTES_MAX: Final = 2_048
# What a header costs beside its name and value, and all of them together.
_HEADER_BYTES: Final = 4
_HEADERS_BYTES: Final = 14
# https://github.com/nats-io/nats-server/blob/main/server/errors.json
_WRONG_LAST_SEQUENCE: Final = 10071
# The leader has it, under the same id or on the same subject, and others have not confirmed it yet.
_UNDECIDED: Final = frozenset({10158, 10164})
_SERVER_TROUBLE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Published:
    """A stored event. `duplicate`: it was there already under the same message id."""

    sequence: int
    duplicate: bool


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """The source of an event, its id, and the time of publishing."""

    source: str
    message_id: str
    at: datetime


class AlreadyExists(Rejected):
    """Somebody published on this subject before: what was to be created once exists."""

    def __init__(self, message: str) -> None:
        super().__init__(BusRefusal.EXISTS, message)


async def publish_event(
    client: Client, event: Message, *, stamp: Stamp, create_once: bool
) -> Published:
    """Publish and wait until it is stored.

    A time-out does not mean that it was not stored: try again with the same `message_id`.
    """
    info = EVENTS[type(event)]
    subject = event_subject(event, root=INTAKE_ROOT)
    described = {
        names.MESSAGING_SYSTEM: "nats",
        names.MESSAGING_TEMPLATE: event_template(type(event), root=INTAKE_ROOT),
        names.MESSAGING_OPERATION: "publish",
        names.MESSAGING_OPERATION_TYPE: "send",
        names.MESSAGING_MESSAGE_ID: stamp.message_id,
    }
    with span(f"publish {info.name}", kind=SpanKind.PRODUCER, attributes=described):
        headers = event_headers(
            event,
            source=stamp.source,
            message_id=stamp.message_id,
            at=stamp.at,
            trace=carrier(),
        )
        if create_once:
            # Checked against the stored subject, after the stream's transform (tried on 2.15).
            headers[EXPECTED_LAST_SUBJECT_SEQUENCE] = "0"
        return await _store(client, subject, event.to_json(), headers, kind=info.name)


async def store(client: Client, subject: str, body: bytes, headers: dict[str, str]) -> Published:
    """Publish a body to a stream.

    Raises:
        Retryable: `timeout`, `undecided`, `no_stream`, `bus_unavailable`, `stream_refused`.
        AlreadyExists: the fence was set and something is there.
        Rejected: `stream_refused`, `too_large`.

    """
    _refuse_large(client, subject, body, headers)
    try:
        answer = await ask(client, subject, body, timeout_s=PUBLISH_TIMEOUT_S, headers=headers)
    except NoRespondersError:
        raise Retryable(BusRefusal.NO_STREAM, f"no stream takes {subject!r}") from None
    except NatsTimeoutError:
        raise Retryable(BusRefusal.TIMEOUT, f"{subject!r} was not acknowledged in time") from None
    except MaxPayloadError:
        raise Rejected(BusRefusal.TOO_LARGE, f"{subject!r}: {len(body)} bytes") from None
    except NatsError as error:
        raise Retryable(BusRefusal.UNAVAILABLE, f"{subject!r}: {type(error).__name__}") from error
    return read_acknowledgement(answer.data, subject=subject)


def _refuse_large(client: Client, subject: str, body: bytes, headers: dict[str, str]) -> None:
    """Refuse here what the server would end the connection for.

    Names and sizes come from whoever may write a Pipeline. The client library looks at the body
    alone, and the server at the headers as well.
    """
    told = sum(len(f"{k}{v}".encode()) + _HEADER_BYTES for k, v in headers.items()) + _HEADERS_BYTES
    if len(subject.encode()) > SUBJECT_BYTES_MAX or told + len(body) > client.max_payload:
        raise Rejected(BusRefusal.TOO_LARGE, f"{subject[:200]!r}: {told + len(body)} bytes")


def read_acknowledgement(data: bytes, *, subject: str) -> Published:
    try:
        body: dict[str, Any] = json.loads(data)
        error = body.get("error")
        if error is None:
            return Published(
                sequence=int(body["seq"]), duplicate=bool(body.get("duplicate", False))
            )
        code, description = int(error["code"]), str(error.get("description", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Retryable(BusRefusal.STREAM_REFUSED, f"{subject!r}: not an acknowledgement") from None
    if error.get("err_code") == _WRONG_LAST_SEQUENCE:
        raise AlreadyExists(f"{subject!r}: {description}")
    if error.get("err_code") in _UNDECIDED:
        raise Retryable(BusRefusal.UNDECIDED, f"{subject!r}: {description}")
    if code >= _SERVER_TROUBLE:
        raise Retryable(BusRefusal.STREAM_REFUSED, f"{subject!r}: {description}")
    raise Rejected(BusRefusal.STREAM_REFUSED, f"{subject!r}: {description}")


async def _store(
    client: Client, subject: str, body: bytes, headers: dict[str, str], *, kind: str
) -> Published:
    spent_s = stopwatch()
    outcome = "failed"
    try:
        published = await store(client, subject, body, headers)
        outcome = "duplicate" if published.duplicate else "stored"
    except (Retryable, Rejected) as error:
        outcome = error.reason
        raise
    finally:
        PUBLISHED_SECONDS.labels(type=kind, outcome=outcome).observe(spent_s())
    return published
