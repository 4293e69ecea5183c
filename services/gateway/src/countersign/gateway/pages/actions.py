"""Forms by which people act on promotions; they answer with a redirect, so reloading is safe.

What is refused leads to where the promotion stands, and gives back what was written.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from countersign.contracts.errors import Rejected, Retryable
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.access.sessions import Session
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.approval_client import ApprovalClient, Said
from countersign.gateway.live.hub import Hub
from countersign.gateway.model import Action
from countersign.gateway.text import addresses
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.web.forms import read_form
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of
from countersign.gateway.web.problems import TO_BOARD, problem_of, respond
from countersign.gateway.web.spans import asking

# So that a page without scripts shows what was just done.
HEARD_TIMEOUT_S: Final = 0.7
# The value of a box that was ticked.
CONFIRMED: Final = "yes"

Fields = Mapping[str, str]
# Does it, and returns where the browser goes on; empty for the promotion's page.
Act = Callable[[Request, Timeline, Fields], Awaitable[str]]


class Actions:
    """One method for each form of a promotion."""

    def __init__(
        self,
        *,
        visibility: Visibility,
        approval: ApprovalClient,
        accounts: Accounts,
        hub: Hub,
        screen: Screen,
    ) -> None:
        self._visibility = visibility
        self._approval = approval
        self._accounts = accounts
        self._hub = hub
        self._screen = screen

    async def begin(self, request: Request) -> Response:
        """Promote as oneself: the answer leads to the forge, or to a code that is typed there."""
        return await self._acted(request, "promote as oneself", self._begin)

    async def cancel(self, request: Request) -> Response:
        """End one's own sign-in for this promotion, wherever it is stuck."""
        return await self._acted(request, "cancel signing in", self._cancel)

    async def approve(self, request: Request) -> Response:
        """Let the stored credential open the pull request."""
        return await self._acted(request, "promote with the stored credential", self._approve)

    async def reject(self, request: Request) -> Response:
        return await self._acted(request, "reject", self._reject)

    async def retry(self, request: Request) -> Response:
        return await self._acted(request, "ask again", self._retry)

    async def _acted(self, request: Request, name: str, act: Act) -> Response:
        fields = await read_form(self._accounts.sessions, request)
        person = session_of(request).person
        timeline = self._visibility.promotable(person, fields.get("promotion_id", ""))
        try:
            with asking(timeline, name):
                leads_to = await act(request, timeline, fields)
        except (Rejected, Retryable) as error:
            return self._refused(request, timeline, fields, error)
        if not leads_to:
            await self._hub.wait_for(timeline.promotion_id, timeout_s=HEARD_TIMEOUT_S)
            leads_to = addresses.promotion(timeline.promotion_id)
        return RedirectResponse(leads_to, status_code=303)

    def _refused(
        self, request: Request, timeline: Timeline, fields: Fields, error: Rejected | Retryable
    ) -> Response:
        there = addresses.promotion(timeline.promotion_id)
        show = Action(label="Show where it stands", href=there, primary=True)
        trouble = problem_of(
            error, actions=(show, TO_BOARD), instance=there, kept=fields.get("reason", "").strip()
        )
        return respond(self._screen, request, trouble)

    async def _begin(self, request: Request, timeline: Timeline, fields: Fields) -> str:
        session = session_of(request)
        said = _said(fields)
        if "device" not in fields:
            said = replace(said, by_device=await self._types_code(timeline, session))
        answer = await self._approval.begin(
            timeline.promotion_id, person=session.person, session=session.digest, said=said
        )
        if answer.granted or not answer.authorize_url:
            return ""
        origin = timeline.promotion.request.destination.origin
        return self._visibility.projection.links.sign_in(answer.authorize_url, origin)

    async def _types_code(self, timeline: Timeline, session: Session) -> bool:
        """Tell if somebody who goes on signing in began to do so by a code, in this browser."""
        try:
            answer = await self._approval.poll(
                timeline.promotion, person=session.person, session=session.digest
            )
        except (Rejected, Retryable):
            return False
        return answer is not None and answer.user_code is not None

    async def _cancel(self, request: Request, timeline: Timeline, fields: Fields) -> str:
        del fields
        person, promotion_id = session_of(request).person, timeline.promotion_id
        await self._approval.revoke(person=person, session="", promotion_id=promotion_id)
        return ""

    async def _approve(self, request: Request, timeline: Timeline, fields: Fields) -> str:
        await self._approval.approve(
            timeline.promotion_id,
            person=session_of(request).person,
            said=_said(fields),
        )
        return ""

    async def _reject(self, request: Request, timeline: Timeline, fields: Fields) -> str:
        person, reason = session_of(request).person, fields.get("reason", "").strip()
        await self._approval.reject(timeline.promotion_id, person=person, reason=reason)
        return ""

    async def _retry(self, request: Request, timeline: Timeline, fields: Fields) -> str:
        del fields
        await self._approval.retry(timeline.promotion_id, person=session_of(request).person)
        return ""


def _said(fields: Fields) -> Said:
    return Said(
        reason=fields.get("reason", "").strip(),
        despite_blocked=fields.get("despite_blocked") == CONFIRMED,
        by_device=fields.get("device") == CONFIRMED,
    )
