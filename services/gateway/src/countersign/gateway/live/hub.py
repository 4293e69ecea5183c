"""Open pages, and the changes that are sent to them.

A change is rendered once and given to all who look at it. Each client has a bounded queue; one
that does not read is dropped, reconnects, and gets what it missed from its `Last-Event-ID`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from countersign.contracts.messages import Person
from countersign.gateway.html.templates import Templates
from countersign.gateway.interfaces import Access, FeedStatus, Pause, rights
from countersign.gateway.live.rendition import Rendering, View
from countersign.gateway.live.sse import encode_event
from countersign.gateway.model import PipelineKey
from countersign.gateway.view.boards import matches
from countersign.gateway.view.projection import Position, Projection, Update
from countersign.gateway.view.tallies import Tallies
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger

log = get_logger()

QUEUE_MESSAGES_MAX: Final = 64
CLIENTS_MAX: Final = 2_000
CLIENTS_PER_PERSON_MAX: Final = 16  # tabs
# Long enough to put a burst into one message, too short to see.
GATHER_S: Final = 0.015
# Ends the stream of a page.
LAST: Final = b""
WAITERS_MAX: Final = 1_000
NEARLY_FULL: Final = 0.9


@dataclass(eq=False, kw_only=True)
class Client:
    """One open page."""

    view: View
    person: Person
    # What its person may see and do, as the page shows it.
    audience: str
    session_id: str
    form_token: str
    queue: asyncio.Queue[bytes] = field(
        default_factory=lambda: asyncio.Queue(maxsize=QUEUE_MESSAGES_MAX)
    )
    is_gone: bool = False


class Hub:
    """Owns the open pages."""

    def __init__(
        self,
        *,
        projection: Projection,
        templates: Templates,
        access: Access,
        pause: Pause,
    ) -> None:
        self._projection = projection
        self._templates = templates
        self._access = access
        self.tallies = Tallies(projection, access)
        self._pause = pause
        self._clients: set[Client] = set()
        self._dirty: OrderedDict[PipelineKey, set[str]] = OrderedDict()
        self._wake = asyncio.Event()
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self._status: FeedStatus | None = None
        self.closed = False

    def _rendering(self, changed: Mapping[PipelineKey, AbstractSet[str]]) -> Rendering:
        return Rendering(self._projection, self._templates, self._access, changed)

    def __len__(self) -> int:
        return len(self._clients)

    def count_of(self, person_id: str) -> int:
        return sum(c.person.id == person_id for c in self._clients)

    def join(self, client: Client, *, since: Position | None) -> None:
        """Begin to serve a page, first with what changed since it was made."""
        self._clients.add(client)
        missed = self._missed(client, since)
        rendering = self._rendering(missed)
        parts = self._parts(client, missed, rendering)
        if self._status is not None:
            parts.append(self._templates.banner(self._status))
        self._send(client, parts, rendering)

    def leave(self, client: Client) -> None:
        self._clients.discard(client)

    def sign_out(self, session_id: str) -> None:
        """End the pages of a session at once."""
        for client in [c for c in self._clients if c.session_id == session_id]:
            self._drop(client)

    def close(self) -> None:
        """End all pages: the process stops."""
        self.closed = True
        for client in list(self._clients):
            self._drop(client)

    def changed(self, change: Update) -> None:
        """Something was folded in."""
        if change.pipeline is not None:
            self._dirty.setdefault(change.pipeline, set()).add(change.promotion_id)
            self._wake.set()
        for waiter in self._waiters.get(change.promotion_id, ()):
            waiter.set()

    def show_status(self, status: FeedStatus) -> None:
        """Tell every page how the bus is, when that has changed."""
        # Only a store that is nearly full is spoken of.
        full = int(status.fullness * 100) / 100 if status.fullness >= NEARLY_FULL else 0.0
        status = replace(status, fullness=full)
        if status == self._status:
            return
        self._status = status
        text = self._templates.banner(status)
        rendering = self._rendering({})
        for client in list(self._clients):
            self._send(client, [text], rendering)

    def people(self) -> tuple[Person, ...]:
        """Return the people with open pages; each as often as their groups differ."""
        return tuple({(c.person.id, c.person.groups): c.person for c in self._clients}.values())

    def recheck(self) -> None:
        """Show everybody whose rights are others now what they may see and do now."""
        rendering = self._rendering({})
        for client in list(self._clients):
            audience = self._access.audience(client.person)
            if audience == client.audience:
                continue
            client.audience = audience
            shown = client.view.keys
            if all(self._access.may_see(client.person, k) for k in shown):
                parts = self._parts(client, {k: set() for k in shown}, rendering)
                self._send(client, parts, rendering)
            else:
                self._tell(client, encode_event("rights changed", event="rights-changed"))

    async def wait_for(self, promotion_id: str, *, timeout_s: float) -> None:
        """Wait until something about that promotion is heard, or the time is over."""
        if len(self._waiters) >= WAITERS_MAX:
            return
        heard = asyncio.Event()
        waiters = self._waiters.setdefault(promotion_id, set())
        waiters.add(heard)
        try:
            async with asyncio.timeout(timeout_s):
                await heard.wait()
        except TimeoutError:
            pass
        finally:
            waiters.discard(heard)
            if not waiters:
                self._waiters.pop(promotion_id, None)

    async def run(self) -> None:
        """Send what changed, until cancelled."""
        while True:
            await self._wake.wait()
            await self._pause(GATHER_S)
            self._wake.clear()
            dirty, self._dirty = self._dirty, OrderedDict()
            await self._flush(dirty)

    async def _flush(self, dirty: OrderedDict[PipelineKey, set[str]]) -> None:
        rendering = self._rendering(dirty)
        for i, client in enumerate(list(self._clients)):
            with one_entry("show"):
                self._send(client, self._parts(client, dirty, rendering), rendering)
            if i % 50 == 49:  # noqa: PLR2004 - let requests in between
                await self._pause(0)

    def _missed(self, client: Client, since: Position | None) -> dict[PipelineKey, set[str]]:
        position = self._projection.position
        # A position ahead of ours is of streams that were made anew.
        if since is None or since.beyond(position):
            since = Position()
        view = client.view
        changed = self._projection.changed
        found = {k for k in view.keys if k in changed and changed[k].beyond(since)}
        born = set(self._projection.born_after(since)) if view.board else set()
        return {k: {view.promotion_id} for k in sorted(found | born)}

    def _parts(
        self, client: Client, dirty: dict[PipelineKey, set[str]], rendering: Rendering
    ) -> list[str]:
        view = client.view
        if view.board is not None:
            return self._board_parts(client, dirty, rendering)
        if view.pipeline is None or view.pipeline not in dirty:
            return []
        if not self._access.may_see(client.person, view.pipeline):
            return []
        may = rights(self._access, client.person)
        if view.is_sheet:
            person = client.person
            return [rendering.sheet(view, person=person)]
        if view.promotion_id or view.environment:
            return [rendering.gate(view, may=may)]
        return [rendering.pipeline(view.pipeline, may=may)]

    def _board_parts(
        self, client: Client, dirty: dict[PipelineKey, set[str]], rendering: Rendering
    ) -> list[str]:
        view, person = client.view, client.person
        namespace = view.board.namespace if view.board else ""
        in_scope = (k for k in dirty if namespace in {"", k.namespace})
        seen = [k for k in in_scope if self._access.may_see(person, k)]
        if not seen:
            return []
        may = rights(self._access, person)
        parts = [rendering.track(k, may=may) for k in seen if k in view.shown]
        parts.append(rendering.summary(self.tallies, person, namespace=namespace))
        if any(k not in view.shown and self._is_new(k, view) for k in seen):
            parts.append(self._new_tracks(client))
        return parts

    def _is_new(self, key: PipelineKey, view: View) -> bool:
        """Tell whether a page does not count it yet, or counts it while it is gone."""
        born = self._projection.born.get(key)
        return born is None or born.beyond(view.since or Position())

    def _new_tracks(self, client: Client) -> str:
        view, since = client.view, client.view.since or Position()
        may = rights(self._access, client.person)
        count = 0
        for key in self._projection.born_after(since):
            track = self._projection.track(key) if key not in view.shown else None
            if track is not None and view.board is not None and matches(track, view.board, may=may):
                count += self._access.may_see(client.person, key)
        return self._templates.new_tracks(count)

    def _send(self, client: Client, parts: list[str], rendering: Rendering) -> None:
        if parts and not client.is_gone:
            self._tell(client, rendering.encoded(parts, form_token=client.form_token))

    def _tell(self, client: Client, message: bytes) -> None:
        try:
            client.queue.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("stream.dropped", reason="reads too slowly")
            self._drop(client)

    def _drop(self, client: Client) -> None:
        self._clients.discard(client)
        client.is_gone = True
        # What it has not read it gets again from the next stream.
        while not client.queue.empty():
            client.queue.get_nowait()
        client.queue.put_nowait(LAST)
