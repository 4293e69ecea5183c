"""The record of decisions: searched, and exported."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from countersign.gateway.access.visibility import Visibility
from countersign.gateway.view.records import PAGE_ROWS, Row, as_csv, rows
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of


class RecordPages:
    """The decisions of people."""

    def __init__(self, *, visibility: Visibility, screen: Screen) -> None:
        self._visibility = visibility
        self._screen = screen

    async def record(self, request: Request) -> Response:
        words = request.query_params.get("q", "")[:200]
        found = self._rows(request, words)
        page = request.query_params.get("page", "1")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1  # noqa: PLR2004
        pages = max(1, -(-len(found) // PAGE_ROWS))
        number = min(max(1, number), pages)
        html = self._screen.page(
            request,
            "record.html",
            view={"view": "bus"},
            rows=found[(number - 1) * PAGE_ROWS : number * PAGE_ROWS],
            found=len(found),
            words=words,
            page=number,
            pages=pages,
            query=urlencode({"q": words}),
        )
        return HTMLResponse(html)

    async def record_csv(self, request: Request) -> Response:
        body = as_csv(self._rows(request, request.query_params.get("q", "")[:200]))
        headers = {"Content-Disposition": 'attachment; filename="countersign-record.csv"'}
        return Response(body, headers=headers, media_type="text/csv; charset=utf-8")

    def _rows(self, request: Request, words: str) -> list[Row]:
        person, known = session_of(request).person, self._visibility
        found = rows(known.projection.timelines.values(), links=known.projection.links, words=words)
        return [r for r in found if known.access.may_see(person, r.key)]
