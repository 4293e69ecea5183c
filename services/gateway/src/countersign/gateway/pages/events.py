"""Server-sent events: one stream for each open page, ended when its session ends."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from countersign.contracts.errors import Rejected
from countersign.gateway.access.sessions import Sessions
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.live.hub import CLIENTS_MAX, CLIENTS_PER_PERSON_MAX, LAST, Client, Hub
from countersign.gateway.live.rendition import View
from countersign.gateway.live.sse import encode_event
from countersign.gateway.model import PipelineKey
from countersign.gateway.refusals import Refusal
from countersign.gateway.view.boards import read_query, shown_of
from countersign.gateway.view.projection import Position
from countersign.gateway.web.guards import session_of
from countersign.telemetry.metrics import gauge

# Also how often the session is looked at, so that its end is noticed.
HEARTBEAT_S: Final = 15.0
SEND_TIMEOUT_S: Final = 20.0
_HEARTBEAT: Final = b": still here\n\n"
_OPEN = gauge("open_pages", "Pages that follow changes.")


class Events:
    """The stream of a page."""

    def __init__(self, *, visibility: Visibility, hub: Hub, sessions: Sessions) -> None:
        self._visibility = visibility
        self._hub = hub
        self._sessions = sessions

    async def stream(self, request: Request) -> Response:
        hub, session = self._hub, session_of(request)
        full = len(hub) >= CLIENTS_MAX
        if full or hub.count_of(session.person.id) >= CLIENTS_PER_PERSON_MAX:
            raise Rejected(Refusal.TOO_MANY_PAGES, "this person has too many pages open")
        since = Position.parse(request.query_params.get("since", ""))
        client = Client(
            view=self._view(request, since),
            person=session.person,
            audience=self._visibility.access.audience(session.person),
            session_id=session.id,
            form_token=request.scope["state"]["form_token"],
        )
        resumed = Position.parse(request.headers.get("last-event-id", ""))
        # Counted from now on, so that pages that are opened at once are counted, too.
        hub.join(client, since=resumed or since)
        return _Stream(self._follow(client), on_end=lambda: hub.leave(client))

    def _view(self, request: Request, since: Position | None) -> View:
        query = request.query_params
        kind = query.get("view", "")
        if kind == "board":
            asked, person = read_query(dict(query)), session_of(request).person
            tracks, may = self._visibility.tracks(person), self._visibility.may(person)
            return View(board=asked, shown=shown_of(tracks, asked, may=may), since=since)
        if kind in {"pipeline", "gate", "sheet"}:
            return View(
                pipeline=PipelineKey(query.get("namespace", ""), query.get("name", "")),
                environment=query.get("environment", ""),
                promotion_id=query.get("promotion", ""),
                is_sheet=kind == "sheet",
                since=since,
            )
        return View(since=since)

    async def _follow(self, client: Client) -> AsyncIterator[bytes]:
        sessions = self._sessions
        _OPEN.labels().inc()
        try:
            yield b"retry: 1000\n: open\n\n"
            async with aclosing(_messages(client)) as messages:
                async for message in messages:
                    if sessions.find(client.session_id, touch=False) is None:
                        break
                    yield message
            if sessions.find(client.session_id, touch=False) is None:
                yield encode_event("signed out", event="signed-out")
        finally:
            _OPEN.labels().dec()


class _Stream(EventSourceResponse):
    """A stream that is counted until it ends, also where it never began."""

    def __init__(self, content: AsyncIterator[bytes], *, on_end: Callable[[], None]) -> None:
        super().__init__(content, ping=0, send_timeout=SEND_TIMEOUT_S)
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


async def _messages(client: Client) -> AsyncGenerator[bytes, None]:
    """Yield what is queued, with heartbeats between, until the client is dropped."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                message = await client.queue.get()
        except TimeoutError:
            message = _HEARTBEAT
        if message == LAST:
            return
        yield message
