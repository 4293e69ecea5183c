"""The record of promotions: searched, and exported."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from countersign.contracts.record.rows import RecordRow, row_of
from countersign.contracts.record.tables import csv_head, csv_line
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.view.records import (
    CREDENTIALS,
    PAGE_ROWS,
    Entry,
    RecordQuery,
    entries,
    read_query,
)
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of

# Made in a thread, between which others are served.
EXPORT_BATCH_ROWS: Final = 200


class RecordPages:
    """The record as one person may see it."""

    def __init__(self, *, visibility: Visibility, screen: Screen) -> None:
        self._visibility = visibility
        self._screen = screen

    async def record(self, request: Request) -> Response:
        query = read_query(request.query_params)
        everything = entries_of(self._visibility, request, RecordQuery())
        found = everything if query.is_all else [e for e in everything if query.matches(e)]
        number, pages = _page(request.query_params.get("page", "1"), len(found))
        projection = self._visibility.projection
        html = self._screen.page(
            request,
            "record.html",
            view={"view": "bus"},
            entries=found[(number - 1) * PAGE_ROWS : number * PAGE_ROWS],
            found=len(found),
            query=query,
            environments=sorted({e.environment for e in everything}),
            credentials=CREDENTIALS,
            shown=projection.timelines.keys(),
            is_whole=projection.record_is_whole,
            page=number,
            pages=pages,
        )
        return HTMLResponse(html)

    async def record_csv(self, request: Request) -> Response:
        found = self._found(request)
        return _file(found, csv_line, head=csv_head(), name="csv", kind="text/csv")

    async def record_jsonl(self, request: Request) -> Response:
        found = self._found(request)
        return _file(found, _json_line, head="", name="jsonl", kind="application/jsonl")

    def _found(self, request: Request) -> list[Entry]:
        return entries_of(self._visibility, request, read_query(request.query_params))


def entries_of(visibility: Visibility, request: Request, query: RecordQuery) -> list[Entry]:
    """The part of the record that the one who asks may see."""
    person, access = session_of(request).person, visibility.access
    records = visibility.projection.records.values()
    return entries(records, query, sees=lambda key: access.may_see(person, key))


def _page(text: str, found: int) -> tuple[int, int]:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1  # noqa: PLR2004
    pages = max(1, -(-found // PAGE_ROWS))
    return min(max(1, number), pages), pages


def _json_line(row: RecordRow) -> str:
    return row.line() + "\n"


def _file(
    found: Sequence[Entry], line: Callable[[RecordRow], str], *, head: str, name: str, kind: str
) -> Response:
    def lines() -> Iterator[str]:
        yield head
        for first in range(0, len(found), EXPORT_BATCH_ROWS):
            batch = found[first : first + EXPORT_BATCH_ROWS]
            yield "".join(line(row_of(*entry)) for entry in batch)

    headers = {"Content-Disposition": f'attachment; filename="countersign-record.{name}"'}
    return StreamingResponse(lines(), headers=headers, media_type=f"{kind}; charset=utf-8")
