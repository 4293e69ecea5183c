"""The frame of every page: who is signed in, the token of its forms, and how the bus is."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from starlette.requests import Request

from countersign.contracts.messages import Person
from countersign.gateway.html.templates import Templates
from countersign.gateway.interfaces import Feed, FeedStatus
from countersign.gateway.view.projection import Projection


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The frame of one page."""

    person: Person | None
    form_token: str
    status: FeedStatus
    path: str
    # Where live changes come from; empty for pages that never change.
    events: str = ""


class Screen:
    """Renders whole pages."""

    def __init__(self, *, templates: Templates, projection: Projection, feed: Feed) -> None:
        self._templates = templates
        self._projection = projection
        self._feed = feed

    @property
    def status(self) -> FeedStatus:
        return self._feed.status

    @property
    def now(self) -> datetime:
        """The time that pages are made for."""
        return self._templates.clock()

    def page(
        self, request: Request, name: str, *, view: dict[str, str] | None = None, **values: object
    ) -> str:
        """Render a page in its frame.

        Args:
            request: who asks.
            name: of the template.
            view: what of the page changes by itself, as `/events` understands it.
            **values: what the template shows.

        """
        return self._templates.page(name, frame=self._frame(request, view or {}), **values)

    def _frame(self, request: Request, view: dict[str, str]) -> Frame:
        state = request.scope["state"]
        session = state.get("session")
        events = ""
        if view and session is not None:
            pairs = {**view, "since": str(self._projection.position)}
            events = f"/events?{urlencode(pairs)}"
        return Frame(
            person=session.person if session else None,
            form_token=state.get("form_token", ""),
            status=self.status,
            path=request.url.path,
            events=events,
        )
