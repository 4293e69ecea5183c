"""The board, and the pages that explain it."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from countersign.contracts.errors import Rejected
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.html.documents import Documents
from countersign.gateway.refusals import Refusal
from countersign.gateway.view.boards import board, read_query
from countersign.gateway.view.tallies import Tallies
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of


class BoardPages:
    """All tracks that somebody may see."""

    def __init__(self, *, visibility: Visibility, screen: Screen, tallies: Tallies) -> None:
        self._visibility = visibility
        self._tallies = tallies
        self._screen = screen

    async def board(self, request: Request) -> Response:
        known, person = self._visibility.projection, session_of(request).person
        if not self._screen.status.caught_up and not known.pipelines:
            html = self._screen.page(request, "bus_down.html", view={"view": "bus"})
            return HTMLResponse(html, status_code=503)
        query = read_query(dict(request.query_params))
        may = self._visibility.may(person)
        tally = self._tallies.of(person)
        totals = tally.totals(query.namespace)
        shown = board(self._visibility.tracks(person), query, may=may, totals=totals)
        view = {
            "view": "board",
            "show": shown.query.show.value,
            "q": shown.query.words,
            "namespace": shown.query.namespace,
            "page": str(shown.query.page),
        }
        html = self._screen.page(
            request,
            "board.html",
            view=view,
            board=shown,
            rights={t.key: t.allowed(may) for t in shown.tracks},
            begun={t.key: t.mine(may) for t in shown.tracks},
            hidden=bool(known.pipelines) and not shown.total,
        )
        return HTMLResponse(html)


class HelpPages:
    """The words of gates, the keys, and the documents."""

    def __init__(self, *, documents: Documents, screen: Screen) -> None:
        self._documents = documents
        self._screen = screen

    async def help(self, request: Request) -> Response:
        # Decisions and forges have lists of their own among the documents.
        shown = [
            d for d in self._documents.listed if "/" not in d.path or d.path.endswith("/README.md")
        ]
        return HTMLResponse(self._screen.page(request, "help.html", documents=shown))

    async def document(self, request: Request) -> Response:
        path = request.path_params["path"]
        found = self._documents.find(path)
        if found is None:
            raise Rejected(Refusal.NOT_FOUND, f"there is no document {path!r}")
        html = self._documents.html(found)
        return HTMLResponse(self._screen.page(request, "document.html", document=found, html=html))
