"""What every request passes before a page sees it, and every answer before it leaves.

Refuses foreign hosts, bodies that are too large and actions that come from other sites; knows the
session; sets the headers that keep browsers in line. Queries are never logged: a callback's holds
a code.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from countersign.contracts.errors import Rejected, Retryable
from countersign.gateway.access.sessions import Session
from countersign.gateway.web.problems import BUG, Trouble, delay, refusal, respond
from countersign.gateway.web.site import Site
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter, histogram

log = get_logger()

BODY_BYTES_MAX: Final = 64 * 1024
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_REQUESTS = counter("http_requests_total", "Answers by route.", ["route", "method", "status"])
_SECONDS = histogram("http_request_seconds", "Time to answer, by route.", ["route"])
_UNKNOWN_HOST: Final = Trouble(
    status=421,
    code="unknown_host",
    title="This is not that host",
    message="Countersign only answers under its own address.",
)

# Seen by nobody but the log: it left, or was told that it is too slow.
_LEFT: Final = Trouble(
    status=408,
    code="left",
    title="The request did not come to its end",
    message="It was cut off, or took too long.",
)


def content_security_policy(site: Site) -> str:
    """Forms may end at a forge, and at the provider: the browser follows from our form to there.

    Source: https://www.w3.org/TR/CSP3/#directive-form-action
    """
    provider = site.provider.origins if site.provider else ()
    forges = " ".join(["'self'", *(f.origin for f in site.forges.forges), *provider])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'; form-action {forges}; frame-ancestors 'none'; base-uri 'none'"
    )


class Guard:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp, *, site: Site) -> None:
        self._app = app
        self._site = site
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
        }
        if site.secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        # What the provider says of itself is learnt while we run.
        policy = {"Content-Security-Policy": content_security_policy(self._site)}
        answer = _Answer(self._headers | policy, send)
        request = Request(scope, receive)
        self._know_session(request)
        trouble = self._refused(request)
        if trouble is None:
            trouble = await self._serve(scope, _bounded(receive), answer)
        if trouble is not None and not answer.started:
            await respond(self._site, request, trouble)(scope, receive, answer)
        self._tell(scope, answer.status, time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> Trouble | None:
        try:
            await self._app(scope, receive, send)
        except Rejected as error:
            return refusal(error)
        except Retryable as error:
            return delay(error)
        except ClientDisconnect:
            return _LEFT
        except Exception:  # a bug: whoever asked sees a page, and no traceback
            log.exception("request.failed", route=_route(scope))
            return BUG
        return None

    def _know_session(self, request: Request) -> None:
        """Whose browser it is; somebody unknown gets an id, so that its forms can be told."""
        site, state = self._site, request.scope.setdefault("state", {})
        sealed = request.cookies.get(site.cookie_name, "")
        session_id = site.sessions.unseal(sealed)
        live = not request.url.path.startswith("/events")
        session = site.sessions.find(session_id, touch=live) if session_id else None
        state["session_id"] = session_id or site.sessions.new_id()
        state["session"] = session
        state["is_new"] = not session_id
        state["form_token"] = site.sessions.form_token(state["session_id"])

    def _refused(self, request: Request) -> Trouble | None:
        if request.headers.get("host", "") != self._site.host:
            return _UNKNOWN_HOST
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            return refusal(Rejected("too_large", f"at most {BODY_BYTES_MAX} bytes are taken"))
        if request.method not in _SAFE_METHODS and not _same_site(request.headers, self._site):
            return refusal(Rejected("cross_site", "the browser says that another site sent it"))
        return None

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = _route(scope), scope["method"]
        known = method if method in {"GET", "HEAD", "POST"} else "other"
        _REQUESTS.labels(route=route, method=known, status=str(status)).inc()
        if route != "/events":
            _SECONDS.labels(route=route).observe(seconds)
        level = log.debug if status < 400 else log.info  # noqa: PLR2004 - first error status
        level("request.answered", route=route, method=known, status=status)


def _same_site(headers: Headers, site: Site) -> bool:
    """A browser says where an action comes from; a program says nothing and needs the token."""
    fetched, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if fetched is not None:
        # Under `Referrer-Policy: no-referrer` a form's own origin is sent as `null`.
        # https://fetch.spec.whatwg.org/#append-a-request-origin-header
        return fetched == "same-origin" and origin in {None, "null", site.public_url}
    return origin is None or origin == site.public_url


def _route(scope: Scope) -> str:
    """The template of the path, so that neither logs nor metrics hold names."""
    return str(scope.get("state", {}).get("route", "unknown"))


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_BYTES_MAX:
            raise Rejected("too_large", f"at most {BODY_BYTES_MAX} bytes are taken")
        return message

    return bounded


class _Answer:
    """Passes an answer on with our headers."""

    def __init__(
        self, headers: dict[str, str], send: Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ) -> None:
        self._headers = headers
        self._send = send
        self.started = False
        self.status = 500

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def set_cookie(site: Site, session_id: str) -> str:
    """The `Set-Cookie` that names a session."""
    flags = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if site.secure else "")
    return f"{site.cookie_name}={site.sessions.seal(session_id)}{flags}"


def session_of(request: Request) -> Session:
    """Who is signed in; routes that need it are not reached otherwise."""
    session: Session | None = request.scope["state"]["session"]
    if session is None:
        raise Rejected("not_signed_in", "this needs somebody who is signed in")
    return session
