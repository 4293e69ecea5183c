"""Making streams and durables what `topology` says: created where missing, updated where different.

Only the NATS user `topology` may do this.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import DeadLetter
from countersign.messaging.connection import ask
from countersign.messaging.direct_get import reader
from countersign.messaging.envelope import parse_time
from countersign.messaging.leader_reads import UNAVAILABLE
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.streams import DEAD_LETTERS, Durable, Json, Stream, differences

REQUEST_TIMEOUT_S: Final = 10.0
MAJORITY: Final = (
    "more than half of the bus's servers have to run: kubectl -n countersign get pods "
    "-l app.kubernetes.io/name=nats"
)
_NOT_FOUND: Final = 404


@dataclass(frozen=True, kw_only=True)
class Change:
    """A stream or durable that differs from what is wanted. `fields`: name → (found, wanted)."""

    kind: str
    name: str
    missing: bool
    fields: dict[str, tuple[Any, Any]]

    def lines(self) -> Iterator[str]:
        yield f"{'+' if self.missing else '~'} {self.kind} {self.name}"
        for field, (found, wanted) in sorted(self.fields.items()):
            if self.missing:
                yield f"    {field}: {json.dumps(wanted)}"
            else:
                yield f"    {field}: {json.dumps(found)} -> {json.dumps(wanted)}"


async def apply_topology(
    client: Client,
    *,
    streams: Iterable[Stream],
    durables: Iterable[Durable],
    dry_run: bool = False,
) -> list[Change]:
    """Create and update; returns what was changed, or with `dry_run` would be.

    Raises:
        Rejected: the server refuses, with its reason; what came before it is done.
        Retryable: the server does not answer.

    """
    found = [await _apply_stream(client, stream, dry_run=dry_run) for stream in streams]
    found += [await _apply_durable(client, durable, dry_run=dry_run) for durable in durables]
    return [change for change in found if change is not None]


async def _apply_stream(client: Client, stream: Stream, *, dry_run: bool) -> Change | None:
    wanted = stream.config()
    existing = await _config(client, f"STREAM.INFO.{stream.name}")
    change = _compare("stream", stream.name, wanted=wanted, existing=existing)
    if change is not None and not dry_run:
        verb = "CREATE" if existing is None else "UPDATE"
        await _call(client, f"STREAM.{verb}.{stream.name}", (existing or {}) | wanted)
    return change


async def _apply_durable(client: Client, durable: Durable, *, dry_run: bool) -> Change | None:
    wanted = durable.config()
    path = f"{durable.stream}.{durable.name}"
    existing = await _config(client, f"CONSUMER.INFO.{path}")
    change = _compare("durable", path.replace(".", "/"), wanted=wanted, existing=existing)
    if change is not None and not dry_run:
        body = {"stream_name": durable.stream, "config": (existing or {}) | wanted}
        await _call(client, f"CONSUMER.DURABLE.CREATE.{path}", body)
    return change


def _compare(kind: str, name: str, *, wanted: Json, existing: Json | None) -> Change | None:
    fields = differences(wanted=wanted, found=existing or {})
    if existing is not None and not fields:
        return None
    if existing is None:
        fields = {key: (None, value) for key, value in wanted.items()}
    return Change(kind=kind, name=name, missing=existing is None, fields=fields)


async def _config(client: Client, path: str) -> Json | None:
    """Return the server's configuration, or None where there is none."""
    try:
        body = await _call(client, path, None)
    except Rejected as error:
        if error.reason == BusRefusal.NOT_FOUND:
            return None
        raise
    config: Json = body["config"]
    return config


async def _call(client: Client, path: str, body: Json | None) -> Json:
    payload = b"" if body is None else json.dumps(body).encode()
    try:
        answer = await ask(client, f"$JS.API.{path}", payload, timeout_s=REQUEST_TIMEOUT_S)
    except NatsError as error:
        raise Retryable(BusRefusal.UNAVAILABLE, f"{path}: {type(error).__name__}") from error
    result: Json = json.loads(answer.data)
    refusal = result.get("error")
    if refusal is not None:
        if refusal.get("code") == UNAVAILABLE:
            said = refusal.get("description", "")
            raise Retryable(BusRefusal.NO_MAJORITY, f"{path}: {said}; {MAJORITY}")
        missing = refusal.get("code") == _NOT_FOUND
        reason = BusRefusal.NOT_FOUND if missing else BusRefusal.REFUSED
        raise Rejected(reason, f"{path}: {refusal.get('description', 'no reason given')}")
    return result


@dataclass(frozen=True, kw_only=True)
class Buried:
    """A dead letter and where it lies."""

    sequence: int
    letter: DeadLetter
    recorded_at: str


async def dead_letters(client: Client, *, limit: int) -> list[Buried]:
    """The oldest dead letters."""
    found: list[Buried] = []
    async with reader(client, stream=DEAD_LETTERS) as letters:
        sequence = 1
        while len(found) < limit:
            batch = await letters.batch(sequence=sequence)
            if not batch:
                break
            for message in batch[: limit - len(found)]:
                headers = message.headers or {}
                sequence = int(headers["Nats-Sequence"]) + 1
                found.append(
                    Buried(
                        sequence=sequence - 1,
                        letter=DeadLetter.from_json(message.data),
                        recorded_at=parse_time(headers["Nats-Time-Stamp"]).isoformat(
                            timespec="seconds"
                        ),
                    )
                )
    return found
