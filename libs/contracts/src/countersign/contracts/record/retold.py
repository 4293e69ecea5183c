"""The record told again from stored events, to compare rows with that were taken away earlier."""

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime

from pydantic import ValidationError

from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.messages import PromotionRef
from countersign.contracts.record.attempts import PromotionRecord, fold
from countersign.contracts.record.chain import Flaw, Found, StoredEvent
from countersign.contracts.record.decisions import Heard
from countersign.contracts.record.rows import RecordRow, row_of, rows_of
from countersign.contracts.refusals import ContractRefusal
from countersign.contracts.subjects import event_model, event_subject

_Key = tuple[str, int, int]


def records(events: Iterable[StoredEvent]) -> Iterator[PromotionRecord]:
    """Each record after each event that changes it."""
    known: OrderedDict[str, PromotionRecord] = OrderedDict()
    for event in events:
        message = _message(event)
        ref: PromotionRef | None = getattr(message, "promotion", None)
        if message is None or ref is None:
            continue
        at = datetime.fromisoformat(event.recorded_at)
        before = known.get(ref.promotion_id)
        after = fold(before, message, Heard(event.sequence, at, event.trace))
        if after is not None and after is not before:
            known[ref.promotion_id] = after
            yield after


def rows(events: Iterable[StoredEvent]) -> list[RecordRow]:
    """The record as it is after all events, oldest promotion first."""
    last = {r.promotion.promotion_id: r for r in records(events)}
    return [row for record in last.values() for row in rows_of(record)]


def read_row(line: str) -> RecordRow:
    """Read a line of an export.

    Raises:
        Rejected: `malformed`.

    """
    try:
        return RecordRow.model_validate_json(line)
    except ValidationError:
        raise Rejected(ContractRefusal.MALFORMED, f"no row of a record: {line[:80]!r}") from None


def flaws_of_rows(wanted: Iterable[RecordRow], events: Iterable[StoredEvent]) -> Iterator[Found]:
    """Compare rows that were exported with what the events say as of the same one."""
    left: dict[_Key, RecordRow] = {(r.promotion_id, r.attempt, r.as_of): r for r in wanted}
    for record in records(events):
        for attempt in record.attempts:
            key = record.promotion.promotion_id, attempt.number, record.as_of
            row = left.pop(key, None)
            if row is not None and _body(row) != _body(row_of(record, attempt)):
                yield Found(flaw=Flaw.ROW_DIFFERS, sequence=row.as_of)
    for row in left.values():
        yield Found(flaw=Flaw.ROW_UNKNOWN, sequence=row.as_of)


def _body(row: RecordRow) -> object:
    return json.loads(row.line())


def _message(event: StoredEvent) -> Message | None:
    model = event_model(event.subject)
    try:
        message = model.from_json(event.body.encode()) if model else None
    except Rejected:
        return None
    return message if message is not None and event_subject(message) == event.subject else None
