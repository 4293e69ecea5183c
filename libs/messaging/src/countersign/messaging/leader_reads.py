"""Questions about a stream that its leader answers.

Direct Get is answered by the node one is connected to, which may be behind: that it holds nothing
beyond a message does not mean that the stream does. Only what is read here is the whole log.
Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference#fetching-from-a-stream-by-sequence
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from countersign.contracts.errors import Retryable
from countersign.messaging.connection import ask
from countersign.messaging.envelope import (
    SEQUENCE,
    STEERED,
    STREAM,
    SUBJECT,
    TIME,
    parse_time,
)
from countersign.messaging.refusals import BusRefusal

ANSWER_TIMEOUT_S: Final = 5.0
_NOT_FOUND: Final = 404
# As JetStream says that it cannot decide anything.
UNAVAILABLE: Final = 503


@dataclass(frozen=True, kw_only=True)
class StreamState:
    """The extent of a stream. `created` tells it from another of the same name."""

    created: datetime
    first_sequence: int
    last_sequence: int
    # None where nothing was ever stored.
    last_at: datetime | None
    bytes_stored: int
    bytes_max: int


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A message as the leader holds it; headers as Direct Get would give them."""

    subject: str
    sequence: int
    headers: dict[str, str]
    body: bytes


async def stream_state(client: Client, stream: str) -> StreamState:
    """Ask how far a stream is.

    A node that is cut off from the others answers as well, with what it had then (seen with 2.15):
    it names no leader.

    Raises:
        Retryable: `no_stream`, `no_majority`, or the bus does not answer.

    """
    body = await _ask(client, f"STREAM.INFO.{stream}", b"", stream=stream)
    if "error" in body:
        description = body["error"].get("description", "")
        for_now = body["error"].get("code") == UNAVAILABLE
        reason = BusRefusal.NO_MAJORITY if for_now else BusRefusal.NO_STREAM
        raise Retryable(reason, f"{stream}: {description}")
    if "cluster" in body and not body["cluster"].get("leader"):
        raise Retryable(BusRefusal.NO_MAJORITY, f"{stream}: no leader, where we are connected")
    state = body["state"]
    last_at = parse_time(state["last_ts"]) if int(state["last_seq"]) else None
    return StreamState(
        created=parse_time(body["created"]),
        first_sequence=int(state["first_seq"]),
        last_sequence=int(state["last_seq"]),
        last_at=last_at,
        bytes_stored=int(state["bytes"]),
        bytes_max=int(body["config"]["max_bytes"]),
    )


async def next_sequence(client: Client, *, stream: str, sequence: int) -> int | None:
    """Return the first sequence from there on that the stream holds, or None at its end.

    Raises:
        Retryable: the bus does not answer.

    """
    found = await _message(client, {"seq": sequence, "next_by_subj": ">"}, stream=stream)
    return None if found is None else found.sequence


async def last_on_subject(client: Client, *, stream: str, subject: str) -> Stored | None:
    """Return the last message that a stream holds on a subject.

    Raises:
        Retryable: the bus does not answer.

    """
    return await _message(client, {"last_by_subj": subject}, stream=stream)


async def _message(client: Client, asked: dict[str, Any], *, stream: str) -> Stored | None:
    path = f"STREAM.MSG.GET.{stream}"
    answer = await _ask(client, path, json.dumps(asked).encode(), stream=stream)
    error = answer.get("error")
    if error is None:
        return read_stored(answer["message"], stream=stream)
    if error.get("code") == _NOT_FOUND:
        return None
    raise Retryable(BusRefusal.STREAM_REFUSED, f"{stream}: {error.get('description', '')}")


async def _ask(client: Client, path: str, body: bytes, *, stream: str) -> dict[str, Any]:
    try:
        answer = await ask(client, f"$JS.API.{path}", body, timeout_s=ANSWER_TIMEOUT_S)
    except NatsError as error:
        raise Retryable(BusRefusal.UNAVAILABLE, f"{stream}: {type(error).__name__}") from error
    found: dict[str, Any] = json.loads(answer.data)
    return found


def read_stored(message: dict[str, Any], *, stream: str) -> Stored:
    """Read a message of the JSON form, which holds headers and body in base64.

    Raises:
        Retryable: it is not of that form.

    """
    try:
        raw = base64.b64decode(message.get("hdrs", ""), validate=True)
        headers = _headers(raw.decode())
        body = base64.b64decode(message.get("data", ""), validate=True)
        subject, sequence, at = str(message["subject"]), int(message["seq"]), str(message["time"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        word = "not a stored message"
        raise Retryable(BusRefusal.STREAM_REFUSED, f"{stream}: {word}") from None
    if STREAM in headers:
        # A publisher of ours never sets it: the server's answer was steered into the stream.
        headers[STEERED] = "1"
    headers |= {STREAM: stream, SUBJECT: subject, SEQUENCE: str(sequence), TIME: at}
    return Stored(subject=subject, sequence=sequence, headers=headers, body=body)


def _headers(raw: str) -> dict[str, str]:
    """Source: https://docs.nats.io/reference/reference-protocols/nats-protocol#hpub."""
    lines = (line.partition(":") for line in raw.split("\r\n")[1:] if line)
    return {name.strip(): value.strip() for name, _, value in lines}
