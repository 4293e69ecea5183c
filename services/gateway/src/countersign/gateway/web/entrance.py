"""What one reaches without having signed in: the sign-in page and static files."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person
from countersign.gateway.html.static_files import StaticFiles
from countersign.gateway.interfaces import Provider
from countersign.gateway.model import Action
from countersign.gateway.view import addresses
from countersign.gateway.web.frames import frame_of
from countersign.gateway.web.guards import set_cookie
from countersign.gateway.web.problems import delay, refusal, respond
from countersign.gateway.web.site import Site
from countersign.telemetry.logs import get_logger

log = get_logger()

_AGAIN: Final = Action(label="Sign in again", href="/sign-in", primary=True)
_FOREVER: Final = "public, max-age=31536000, immutable"


def enter(site: Site, request: Request, person: Person, *, to: str) -> Response:
    """Begin a session under an id that nobody has seen before."""
    site.sessions.close(request.scope["state"]["session_id"])
    session = site.sessions.open(person)
    log.info("session.opened", person_id=person.id)
    answer = RedirectResponse(to, status_code=303)
    answer.headers["Set-Cookie"] = set_cookie(site, session.id)
    return answer


def _provider_of(site: Site) -> Provider:
    if site.provider is None:
        raise Rejected("not_found", "nobody is sent elsewhere to sign in")
    return site.provider


class Entrance:
    """Open to everybody who can reach the gateway."""

    def __init__(self, site: Site, static: StaticFiles) -> None:
        self._site = site
        self._static = static

    async def sign_in(self, request: Request) -> Response:
        site, state = self._site, request.scope["state"]
        to = addresses.local_path(request.query_params.get("to", "/"))
        if state["session"] is not None:
            return RedirectResponse(to, status_code=303)
        html = site.templates.page(
            "sign_in.html",
            frame=frame_of(site, request),
            people=site.sign_in.choices,
            provider=site.provider.name if site.provider else "",
            to=to,
            begin="/sign-in/begin?" + urlencode({"to": to}),
        )
        answer = HTMLResponse(html)
        if state["is_new"]:
            answer.headers["Set-Cookie"] = set_cookie(site, state["session_id"])
        return answer

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider. Looking is all it does: who follows, asked for it."""
        site, state = self._site, request.scope["state"]
        to = addresses.local_path(request.query_params.get("to", "/"))
        if state["session"] is not None:
            return RedirectResponse(to, status_code=303)
        try:
            url = await _provider_of(site).begin(session_id=state["session_id"], to=to)
        except (Rejected, Retryable) as error:
            return self._refused(request, error)
        answer = RedirectResponse(url, status_code=303)
        if state["is_new"]:
            answer.headers["Set-Cookie"] = set_cookie(site, state["session_id"])
        return answer

    async def complete(self, request: Request) -> Response:
        """Where the provider sends the browser back; the code that it brings is shown nowhere."""
        site, state = self._site, request.scope["state"]
        query = request.query_params
        given = {k: query[k] for k in ("state", "code", "error", "iss") if k in query}
        try:
            known = await _provider_of(site).complete(given, session_id=state["session_id"])
        except (Rejected, Retryable) as error:
            return self._refused(request, error)
        return enter(site, request, known.person, to=known.to)

    def _refused(self, request: Request, error: Rejected | Retryable) -> Response:
        log.info("sign_in.refused", reason=error.reason)
        if isinstance(error, Rejected):
            return respond(self._site, request, refusal(error, actions=(_AGAIN,)))
        return respond(self._site, request, delay(error, actions=(_AGAIN,)))

    async def static(self, request: Request) -> Response:
        name = request.path_params["path"]
        found = self._static.by_name.get(name)
        if found is None:
            raise Rejected("not_found", f"no file {name!r} is served")
        headers = {"Cache-Control": "public, max-age=60", "Vary": "Accept-Encoding"}
        if request.query_params.get("v") == found.digest:
            headers["Cache-Control"] = _FOREVER
        body = found.body
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = found.compressed
        return Response(body, headers=headers, media_type=found.content_type)

    async def favicon(self, request: Request) -> Response:
        del request
        return RedirectResponse(self._static.address("favicon.svg"), status_code=308)
