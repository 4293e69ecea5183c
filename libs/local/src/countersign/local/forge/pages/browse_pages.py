"""Browser sessions, forms and pages: who looks, whether a form is ours, how a page is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.local.forge.answers import Refused
from countersign.local.forge.rest.rest import read_body
from countersign.local.forge.state.model import Session
from countersign.local.forge.state.service import Service
from countersign.local.forge.state.store import Store, sha256

SESSION_S = 30 * 24 * 3_600
SESSIONS_MAX = 1_000
FORM_BYTES_MAX = 64 * 1024
SEE_OTHER = 303


def environment() -> Environment:
    return Environment(
        loader=PackageLoader("countersign.local.forge"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )


@dataclass(frozen=True)
class Visitor:
    """A browser: its session's text, and who signed in with it."""

    session: str
    login: str = ""

    @property
    def csrf(self) -> str:
        """Derived from the cookie, which no other site can read."""
        return sha256(f"csrf {self.session}")


@dataclass(frozen=True)
class Browsing:
    service: Service
    templates: Environment = field(default_factory=environment)

    @property
    def _store(self) -> Store:
        return self.service.store

    @property
    def cookie(self) -> str:
        """Cookies ignore ports, so each forge's has a name of its own."""
        return "countersign_local_forge_" + sha256(str(self._store.directory))[:8]

    def visitor(self, request: Request) -> Visitor:
        text = request.cookies.get(self.cookie, "")
        session = self._store.sessions.get(sha256(text)) if text else None
        if session and session.created_at + timedelta(seconds=SESSION_S) > self._store.clock():
            return Visitor(text, session.login)
        return Visitor(text or self._store.new_secret(40))

    def sign_in(self, login: str) -> Visitor:
        """A new session: the cookie from before signing in is worth nothing."""
        by_age = sorted(self._store.sessions, key=lambda session: session.created_at)
        for old in by_age[: max(0, len(by_age) - SESSIONS_MAX + 1)]:
            self._store.sessions.delete(old.sha256)
        text = self._store.new_secret(40)
        session = Session(sha256=sha256(text), login=login, created_at=self._store.clock())
        self._store.sessions.put(session.sha256, session)
        return Visitor(text, login)

    def sign_out(self, visitor: Visitor) -> None:
        self._store.sessions.delete(sha256(visitor.session))

    async def form(self, request: Request) -> dict[str, str]:
        """The fields of a form that one of our own pages sent."""
        body = await read_body(request, body_bytes_max=FORM_BYTES_MAX)
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        origin = request.headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
        given = fields.get("csrf", "")
        cookie = request.cookies.get(self.cookie, "")
        if foreign or not cookie or not compare_digest(given, Visitor(cookie).csrf):
            raise Refused(403, "This form is not from here or too old. Go back and try again.")
        return fields

    def page(
        self,
        request: Request,
        template: str,
        shown: Mapping[str, Any],
        *,
        status: int = 200,
        visitor: Visitor | None = None,
    ) -> Response:
        visitor = visitor or self.visitor(request)
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        content = self.templates.get_template(template).render(
            login=visitor.login, csrf=visitor.csrf, here=here, **shown
        )
        answer = HTMLResponse(content, status_code=status, headers=self._headers())
        return self.with_session(answer, visitor)

    def message(self, request: Request, heading: str, text: str, *, status: int) -> Response:
        shown = {"heading": heading, "text": text}
        return self.page(request, "message.html", shown, status=status)

    def redirect(self, location: str, visitor: Visitor | None = None) -> Response:
        answer = RedirectResponse(location, status_code=SEE_OTHER, headers=self._headers())
        return self.with_session(answer, visitor) if visitor else answer

    def with_session(self, answer: Response, visitor: Visitor) -> Response:
        answer.set_cookie(
            self.cookie, visitor.session, max_age=SESSION_S, httponly=True, samesite="lax"
        )
        return answer

    def _headers(self) -> dict[str, str]:
        # Chromium also checks form-action against where a form's answer redirects to.
        callbacks = {
            "{0.scheme}://{0.netloc}".format(urlsplit(callback))
            for app in self._store.apps
            for callback in app.callbacks
        }
        targets = " ".join(["'self'", *sorted(callbacks)])
        return {
            "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none';"
            f" frame-ancestors 'none'; form-action {targets}",
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cache-control": "no-store",
        }


def local_path(text: str) -> str:
    """A path on this server to go on to, or its first page."""
    fine = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if fine and text.isprintable() else "/"
