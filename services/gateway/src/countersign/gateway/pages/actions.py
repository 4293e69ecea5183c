"""Forms by which people act on promotions; they answer with a redirect, so reloading is safe."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from countersign.contracts.errors import Rejected
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.approval_client import ApprovalClient
from countersign.gateway.live.hub import Hub
from countersign.gateway.refusals import Refusal
from countersign.gateway.text import addresses
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.web.forms import read_form
from countersign.gateway.web.guards import session_of
from countersign.gateway.web.spans import asking

# So that a page without scripts shows what was just done.
HEARD_TIMEOUT_S: Final = 0.7
# The value of a box that was ticked.
CONFIRMED: Final = "yes"


class Actions:
    """One method for each form of a promotion."""

    def __init__(
        self,
        *,
        visibility: Visibility,
        approval: ApprovalClient,
        accounts: Accounts,
        hub: Hub,
        links: ForgeLinks,
    ) -> None:
        self._links = links
        self._visibility = visibility
        self._approval = approval
        self._accounts = accounts
        self._hub = hub

    async def _named(self, request: Request) -> tuple[Timeline, dict[str, str]]:
        """The promotion that a form acts on, and the form's other fields."""
        fields = await read_form(self._accounts.sessions, request)
        person = session_of(request).person
        return self._visibility.promotable(person, fields.get("promotion_id", "")), fields

    async def begin(self, request: Request) -> Response:
        """Promote as oneself: the answer leads the browser to the forge."""
        timeline, fields = await self._named(request)
        session = session_of(request)
        with asking(timeline, "promote as oneself"):
            answer = await self._approval.begin(
                timeline.promotion_id,
                person=session.person,
                session=session.digest,
                despite_blocked=fields.get("despite_blocked") == CONFIRMED,
            )
        if answer.granted or not answer.authorize_url:
            return await self._shown(timeline.promotion_id)
        return RedirectResponse(self._checked(answer.authorize_url, timeline), status_code=303)

    async def cancel(self, request: Request) -> Response:
        """End one's own sign-in for this promotion, wherever it is stuck."""
        timeline, _ = await self._named(request)
        session = session_of(request)
        with asking(timeline, "cancel signing in"):
            await self._approval.revoke(
                person=session.person, session="", promotion_id=timeline.promotion_id
            )
        return await self._shown(timeline.promotion_id)

    async def approve(self, request: Request) -> Response:
        """Let the stored credential open the pull request."""
        timeline, fields = await self._named(request)
        with asking(timeline, "promote with the stored credential"):
            await self._approval.approve(
                timeline.promotion_id,
                person=session_of(request).person,
                despite_blocked=fields.get("despite_blocked") == CONFIRMED,
            )
        return await self._shown(timeline.promotion_id)

    async def reject(self, request: Request) -> Response:
        timeline, fields = await self._named(request)
        person, reason = session_of(request).person, fields.get("reason", "").strip()
        with asking(timeline, "reject"):
            await self._approval.reject(timeline.promotion_id, person=person, reason=reason)
        return await self._shown(timeline.promotion_id)

    async def retry(self, request: Request) -> Response:
        timeline, _ = await self._named(request)
        with asking(timeline, "ask again"):
            await self._approval.retry(timeline.promotion_id, person=session_of(request).person)
        return await self._shown(timeline.promotion_id)

    async def _shown(self, promotion_id: str) -> Response:
        await self._hub.wait_for(promotion_id, timeout_s=HEARD_TIMEOUT_S)
        return RedirectResponse(addresses.promotion(promotion_id), status_code=303)

    def _checked(self, url: str, timeline: Timeline) -> str:
        origin = timeline.promotion.request.destination.origin
        if not self._links.leads_to_sign_in(url, origin):
            raise Rejected(
                Refusal.FORGE_NOT_LISTED, f"a sign-in elsewhere than {origin} is not followed"
            )
        return url
