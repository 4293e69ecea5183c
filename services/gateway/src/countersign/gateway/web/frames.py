"""What surrounds every page: who is signed in, the token of its forms, and how the bus is."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from countersign.contracts.messages import Person
from countersign.gateway.interfaces import FeedStatus
from countersign.gateway.web.site import Site


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The frame of one page."""

    person: Person | None
    form_token: str
    status: FeedStatus
    path: str
    # Where live changes come from; empty for pages that never change.
    events: str = ""


def frame_of(site: Site, request: Request, **view: str) -> Frame:
    """
    Args:
        site: what the page is made from.
        request: who asks.
        **view: what of the page changes by itself, as `/events` understands it.

    """
    state = request.scope["state"]
    session = state.get("session")
    events = ""
    if view and session is not None:
        pairs = {**view, "since": str(site.projection.position)}
        events = f"/events?{urlencode(pairs)}"
    return Frame(
        person=session.person if session else None,
        form_token=state.get("form_token", ""),
        status=site.feed.status,
        path=request.url.path,
        events=events,
    )
