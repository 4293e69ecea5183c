"""Signing in and signing out."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.contracts.consent.sign_in import person_digest
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.approval_client import ApprovalClient
from countersign.gateway.interfaces import Provider
from countersign.gateway.live.hub import Hub
from countersign.gateway.model import Action
from countersign.gateway.refusals import Refusal
from countersign.gateway.text import addresses
from countersign.gateway.web.address import Address
from countersign.gateway.web.forms import read_form
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of
from countersign.gateway.web.problems import Trouble, problem_of, respond
from countersign.telemetry.logs import get_logger

log = get_logger()

_AGAIN: Final = Action(label="Sign in again", href="/sign-in", primary=True)
_UNTOLD: Final = Trouble(
    status=503,
    code="revocation_untold",
    title="You are signed out",
    message="The approval service could not be told, so tokens you delegated may still be held.",
    hint="They are ended or forgotten within the minutes that the consent sheet named.",
    actions=(replace(_AGAIN, primary=False),),
)


class Entrance:
    """Open to everybody who can reach the gateway."""

    def __init__(self, *, address: Address, accounts: Accounts, screen: Screen) -> None:
        self._address = address
        self._accounts = accounts
        self._screen = screen

    def enter(self, request: Request, person: Person, *, to: str) -> Response:
        """Begin a session under an id that nobody has seen before."""
        sessions = self._accounts.sessions
        sessions.close(request.scope["state"]["session_id"])
        session = sessions.open(person)
        log.info("session.opened", person_id=person.id)
        answer = RedirectResponse(to, status_code=303)
        answer.headers["Set-Cookie"] = self._address.cookie(sessions.seal(session.id))
        return answer

    def _provider(self) -> Provider:
        if self._accounts.provider is None:
            raise Rejected(Refusal.NOT_FOUND, "nobody is sent elsewhere to sign in")
        return self._accounts.provider

    def _name_browser(self, request: Request, answer: Response) -> None:
        """Give an id to a browser that has none, so that what it begins can be told apart."""
        state = request.scope["state"]
        if state["is_new"]:
            sealed = self._accounts.sessions.seal(state["session_id"])
            answer.headers["Set-Cookie"] = self._address.cookie(sealed)

    async def sign_in(self, request: Request) -> Response:
        to = addresses.local_path(request.query_params.get("to", "/"))
        if request.scope["state"]["session"] is not None:
            return RedirectResponse(to, status_code=303)
        provider = self._accounts.provider
        html = self._screen.page(
            request,
            "sign_in.html",
            people=self._accounts.sign_in.choices,
            provider=provider.name if provider else "",
            to=to,
            begin="/sign-in/begin?" + urlencode({"to": to}),
        )
        answer = HTMLResponse(html)
        self._name_browser(request, answer)
        return answer

    async def choose(self, request: Request) -> Response:
        """Sign in as one of the people on the page."""
        fields = await read_form(self._accounts.sessions, request)
        person = await self._accounts.sign_in.identify(fields)
        return self.enter(request, person, to=addresses.local_path(fields.get("to", "/")))

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider. Looking is all it does: who follows, asked for it."""
        state = request.scope["state"]
        to = addresses.local_path(request.query_params.get("to", "/"))
        if state["session"] is not None:
            return RedirectResponse(to, status_code=303)
        try:
            url = await self._provider().begin(session_id=state["session_id"], to=to)
        except (Rejected, Retryable) as error:
            return self._refused(request, error)
        answer = RedirectResponse(url, status_code=303)
        self._name_browser(request, answer)
        return answer

    async def complete(self, request: Request) -> Response:
        """Take the browser back from the provider; the code that it brings is shown nowhere."""
        state, query = request.scope["state"], request.query_params
        given = {k: query[k] for k in ("state", "code", "error", "iss") if k in query}
        try:
            known = await self._provider().complete(given, session_id=state["session_id"])
        except (Rejected, Retryable) as error:
            return self._refused(request, error)
        return self.enter(request, known.person, to=known.to)

    def _refused(self, request: Request, error: Rejected | Retryable) -> Response:
        log.info("sign_in.refused", reason=error.reason)
        trouble = problem_of(error, actions=(_AGAIN,))
        return respond(self._screen, request, trouble)


class Exit:
    """Ends sessions."""

    def __init__(
        self,
        *,
        address: Address,
        accounts: Accounts,
        screen: Screen,
        approval: ApprovalClient,
        hub: Hub,
    ) -> None:
        self._address = address
        self._accounts = accounts
        self._screen = screen
        self._approval = approval
        self._hub = hub

    async def sign_out_everywhere(self, request: Request) -> Response:
        """End all sessions of the person at every gateway, and all that they delegated."""
        session, sessions = session_of(request), self._accounts.sessions
        await read_form(sessions, request)
        person, now = session.person, sessions.now
        for session_id in sessions.close_all(person_digest(person.id), before=now):
            self._hub.sign_out(session_id)
        log.info("session.all_closed", person_id=person.id)
        return await self._left(request, self._approval.leave(person=person, at=now))

    async def sign_out(self, request: Request) -> Response:
        """End the session, its open pages, and what it delegated."""
        session, sessions = session_of(request), self._accounts.sessions
        await read_form(sessions, request)
        sessions.close(session.id)
        self._hub.sign_out(session.id)
        log.info("session.closed", person_id=session.person.id)
        ending = self._approval.revoke(person=session.person, session=session.digest)
        return await self._left(request, ending)

    async def _left(self, request: Request, ending: Awaitable[None]) -> Response:
        """Have what was delegated ended, and lead out."""
        sessions, provider = self._accounts.sessions, self._accounts.provider
        farewell = provider.farewell() if provider else ""
        answer: Response = RedirectResponse(farewell or "/sign-in", status_code=303)
        try:
            await ending
        except Retryable as error:
            log.warning("revocation.untold", reason=error.reason)
            answer = respond(self._screen, request, _UNTOLD)
        answer.headers["Set-Cookie"] = self._address.cookie(sessions.seal(sessions.new_id()))
        return answer
