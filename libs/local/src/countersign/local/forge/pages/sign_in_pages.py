"""Pages of signing in and of allowing an application, and the endpoint that gives out tokens."""

from hmac import compare_digest
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from countersign.local.forge.pages.browse_pages import FORM_BYTES_MAX, Browsing, local_path
from countersign.local.forge.rest.rest import read_body
from countersign.local.forge.state import oauth
from countersign.local.forge.state.oauth import Misled, Wish

# Written on the page: this is a stage, not a lock.
PASSWORD = "demo"  # noqa: S105 - the one password of a demonstration
AUTHORIZE = "/login/oauth/authorize"


class SignInPages:
    def __init__(self, browsing: Browsing) -> None:
        self._browsing = browsing
        self._store = browsing.service.store

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.ask, methods=["GET"]),
            Route("/login", self.sign_in, methods=["POST"]),
            Route("/logout", self.sign_out, methods=["POST"]),
            Route(AUTHORIZE, self.authorize, methods=["GET"]),
            Route(AUTHORIZE, self.decide, methods=["POST"]),
            Route("/login/oauth/access_token", self.access_token, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        return self._ask(request, request.query_params.get("return_to", "/"))

    def _ask(self, request: Request, return_to: str, problem: str = "") -> Response:
        target = urlsplit(local_path(return_to))
        wanted = parse_qs(target.query)
        app = self._store.apps.get(wanted.get("client_id", [""])[0])
        shown = {
            "people": sorted(self._store.people, key=lambda person: person.login),
            "return_to": local_path(return_to),
            "application": app.name if app and target.path == AUTHORIZE else "",
            "chosen": wanted.get("login", [""])[0] or self._browsing.visitor(request).login,
            "problem": problem,
        }
        status = 422 if problem else 200
        return self._browsing.page(request, "sign_in.html", shown, status=status)

    async def sign_in(self, request: Request) -> Response:
        form = await self._browsing.form(request)
        person = self._store.person(form.get("login", ""))
        return_to = local_path(form.get("return_to", "/"))
        given = form.get("password", "").encode()
        if person is None or not compare_digest(given, PASSWORD.encode()):
            return self._ask(request, return_to, "Choose a person and give the password.")
        self._browsing.sign_out(self._browsing.visitor(request))
        return self._browsing.redirect(
            _without_prompt(return_to), self._browsing.sign_in(person.login)
        )

    async def sign_out(self, request: Request) -> Response:
        await self._browsing.form(request)
        self._browsing.sign_out(self._browsing.visitor(request))
        return self._browsing.redirect("/")

    async def authorize(self, request: Request) -> Response:
        wish = oauth.read_wish(self._store, request.query_params)
        if isinstance(wish, Misled):
            return self._misled(request, wish)
        visitor, here = self._browsing.visitor(request), f"{AUTHORIZE}?{request.url.query}"
        choosing = request.query_params.get("prompt") == "select_account"
        if not visitor.login or choosing:
            return self._browsing.redirect("/login?" + urlencode({"return_to": here}))
        if oauth.consented(self._store, wish, visitor.login):
            location = oauth.grant_code(self._store, wish, visitor.login)
            return self._browsing.redirect(location)
        return self._browsing.page(request, "consent.html", self._consent(wish))

    def _consent(self, wish: Wish) -> dict[str, object]:
        target = urlsplit(wish.redirect_uri)
        return {
            "app": wish.app,
            "scopes": wish.scopes,
            "installed": sorted(self._store.installed(wish.app)),
            "destination": f"{target.scheme}://{target.netloc}",
        }

    async def decide(self, request: Request) -> Response:
        form = await self._browsing.form(request)
        visitor = self._browsing.visitor(request)
        wish = oauth.read_wish(self._store, request.query_params)
        if isinstance(wish, Misled):
            return self._misled(request, wish)
        if not visitor.login:
            return self._browsing.redirect("/login")
        if form.get("authorize") != "1":
            return self._browsing.redirect(wish.back_with_error("access_denied"))
        oauth.consent(self._store, wish, visitor.login)
        return self._browsing.redirect(oauth.grant_code(self._store, wish, visitor.login))

    def _misled(self, request: Request, misled: Misled) -> Response:
        if misled.location:
            return self._browsing.redirect(misled.location)
        text = "No application has this client_id. Check the address it sent you to."
        return self._browsing.message(request, "Unknown application", text, status=404)

    async def access_token(self, request: Request) -> Response:
        body = await read_body(request, body_bytes_max=FORM_BYTES_MAX)
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        answer = oauth.exchange(self._store, dict(request.query_params) | dict(pairs))
        headers = {"cache-control": "no-store"}
        if "json" in request.headers.get("accept", ""):
            return JSONResponse(answer, headers=headers)
        kind = "application/x-www-form-urlencoded; charset=utf-8"
        return Response(urlencode(answer), media_type=kind, headers=headers)


def _without_prompt(path: str) -> str:
    """Return the address to go on to after an account was chosen, without `prompt`."""
    split = urlsplit(path)
    pairs = parse_qsl(split.query, keep_blank_values=True)
    kept = [pair for pair in pairs if pair != ("prompt", "select_account")]
    return path if kept == pairs else f"{split.path}?{urlencode(kept)}"
