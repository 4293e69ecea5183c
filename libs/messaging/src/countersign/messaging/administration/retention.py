"""Dropping what is over for long, so that streams have room and services start in seconds.

Of promotions a beginning of the stream goes, up to the first event of one that is not over, or not
for long: what is left is whole. The chain that promotion ids rest on does not need it: its last
link is in the status of each Pipeline. Of a Pipeline that was deleted nothing is kept.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.life.folding import advance
from countersign.contracts.messages import PipelineDeleted, PipelineObserved, PromotionRef
from countersign.contracts.promotion import OVER, Promotion
from countersign.contracts.record.chain import Seal
from countersign.messaging.administration.stored_events import messages_up_to, stored_event
from countersign.messaging.connection import ask
from countersign.messaging.direct_get import reader
from countersign.messaging.envelope import SUBJECT, Place, Received, place_of_answer, read_event
from countersign.messaging.leader_reads import StreamState, stream_state
from countersign.messaging.refusals import BusRefusal

PROMOTIONS: Final = "PROMOTIONS"
PIPELINES: Final = "PIPELINES"
# Services that were away for longer read the stream anew.
TOMBSTONE_AGE: Final = timedelta(days=1)
_ABOUT_PIPELINES: Final = (PipelineObserved, PipelineDeleted)
PURGE_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """The count of events that were dropped, and the promotion that keeps the next one."""

    events: int
    held_by: str = ""


@dataclass
class Record:
    """The extent of each promotion in the stream. Feed it every event in order."""

    before: datetime
    _promotions: dict[str, Promotion] = field(default_factory=dict)
    _over: set[str] = field(default_factory=set)
    _first: dict[str, int] = field(default_factory=dict)
    _last_at: dict[str, datetime] = field(default_factory=dict)
    # The first event that no promotion answers for and that is not old enough.
    _foreign: int | None = None
    _read_to: int = 0

    def add(self, place: Place, received: Received | None) -> None:
        sequence, at = place.sequence, place.recorded_at
        self._read_to = sequence
        message = received.message if received else None
        ref: PromotionRef | None = getattr(message, "promotion", None)
        if message is None or ref is None:
            if at >= self.before and self._foreign is None:
                self._foreign = sequence
            return
        name = ref.promotion_id
        self._first.setdefault(name, sequence)
        self._last_at[name] = at
        if name in self._over:
            return
        promotion = advance(self._promotions.get(name), message)
        if promotion is not None and promotion.state in OVER:
            self._over.add(name)
            self._promotions.pop(name, None)
        elif promotion is not None:
            self._promotions[name] = promotion

    def end(self) -> tuple[int, str]:
        """Return the first sequence to keep, and the promotion that is not over and keeps it.

        What was not read is kept.
        """
        kept = ((first, name) for name, first in self._first.items() if not self._may_go(name))
        sequence, name = min(kept, default=(self._read_to + 1, ""))
        if self._foreign is not None and self._foreign < sequence:
            return self._foreign, ""
        return sequence, name if name in self._promotions else ""

    def _may_go(self, name: str) -> bool:
        # Of one whose beginning was dropped before, a late event may be left.
        is_over = name not in self._promotions
        return is_over and self._last_at[name] < self.before


async def retain_promotions(
    client: Client,
    *,
    before: datetime,
    archive: Path | None = None,
    seals: Sequence[Seal] | None = None,
    dry_run: bool = False,
) -> Dropped:
    """Drop the beginning of the record, up to a promotion that is not over before that time.

    Args:
        client: of the NATS user `topology`.
        before: promotions that had their last event later are kept.
        archive: file that the events are appended to before they are dropped.
        seals: on the record; with them nothing is dropped that none of them covers.
        dry_run: drop nothing, only count.

    Raises:
        Rejected: the stream cannot be purged, or the archive not be written; `not_sealed`.
        Retryable: the bus does not answer.

    """
    record, count = Record(before=before), 0
    state = await stream_state(client, PROMOTIONS)
    async with reader(client, stream=PROMOTIONS) as stream:
        async for message in messages_up_to(stream, last=state.last_sequence):
            record.add(place_of_answer(message.headers or {}), _parsed(message))
        keep, held_by = record.end()
        if seals is not None:
            _refuse_unsealed(seals, state, last=keep - 1)
        async for message in messages_up_to(stream, last=keep - 1):
            count += 1
            if archive is not None and not dry_run:
                _append(archive, message)
    if count and not dry_run:
        if archive is not None:
            _sync(archive)
        await _purge(client, PROMOTIONS, {"seq": keep})
    return Dropped(events=count, held_by=held_by)


def _refuse_unsealed(seals: Sequence[Seal], state: StreamState, *, last: int) -> None:
    made = state.created.isoformat()
    sealed = max((s.sequence for s in seals if s.stream == made), default=0)
    if last > max(sealed, state.first_sequence - 1):
        first = max(sealed + 1, state.first_sequence)
        raise Rejected(
            BusRefusal.NOT_SEALED,
            f"events {first} to {last} are not sealed yet, and nothing was dropped: "
            "`countersign-record seal` seals them",
        )


async def retain_pipelines(client: Client, *, before: datetime, dry_run: bool = False) -> int:
    """Drop what was last seen of Pipelines that were deleted before that time; returns how many.

    Raises:
        Rejected, Retryable: as `retain_promotions`.

    """
    state = await stream_state(client, PIPELINES)
    last: dict[tuple[str, str], Received] = {}
    observed: dict[tuple[str, str], str] = {}
    async with reader(client, stream=PIPELINES) as stream:
        async for message in messages_up_to(stream, last=state.last_sequence):
            received = _parsed(message)
            if received is None or not isinstance(received.message, _ABOUT_PIPELINES):
                continue
            ref = received.message.pipeline
            last[ref.namespace, ref.name] = received
            if isinstance(received.message, PipelineObserved):
                observed[ref.namespace, ref.name] = received.subject
    gone = {
        place: received
        for place, received in last.items()
        if isinstance(received.message, PipelineDeleted) and received.recorded_at < before
    }
    for place, received in gone.items() if not dry_run else ():
        for subject in filter(None, (observed.get(place), received.subject)):
            # Not beyond: it may be made anew at this moment.
            await _purge(client, PIPELINES, {"filter": subject, "seq": received.sequence + 1})
    return len(gone)


def _parsed(message: Msg) -> Received | None:
    headers = message.headers or {}
    try:
        return read_event(
            subject=headers[SUBJECT],
            headers=headers,
            body=message.data,
            place=place_of_answer(headers),
        )
    except Rejected:
        return None


def _append(archive: Path, message: Msg) -> None:
    try:
        with archive.open("a", encoding="utf-8") as file:
            file.write(stored_event(message).line() + "\n")
    except OSError as error:
        raise Rejected(BusRefusal.REFUSED, f"{archive}: {error.strerror}") from None


def _sync(archive: Path) -> None:
    with archive.open("a", encoding="utf-8") as file:
        os.fsync(file.fileno())


async def _purge(client: Client, stream: str, body: dict[str, Any]) -> None:
    path = f"$JS.API.STREAM.PURGE.{stream}"
    try:
        answer = await ask(client, path, json.dumps(body).encode(), timeout_s=PURGE_TIMEOUT_S)
    except NatsError as error:
        raise Retryable(BusRefusal.UNAVAILABLE, f"{stream}: {type(error).__name__}") from error
    refusal = json.loads(answer.data).get("error")
    if refusal is not None:
        description = refusal.get("description", "")
        raise Rejected(
            BusRefusal.REFUSED,
            f"{stream}: {description}; a stream that was made to deny it must be made anew",
        )
