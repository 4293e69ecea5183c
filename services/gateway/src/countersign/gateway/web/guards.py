"""Checks that every request passes before a page sees it, and headers for every answer.

Refuses foreign hosts, bodies that are too large and actions that come from other sites; knows the
session; sets the headers that keep browsers in line. Queries are never logged: a callback's holds
a code.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from math import ceil
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from countersign.contracts.errors import Rejected, Retryable
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.access.sessions import Session
from countersign.gateway.refusals import Postponed, Refusal
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.web.address import Address
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.problems import BUG, Trouble, problem_of, respond
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter, histogram

log = get_logger()

BODY_BYTES_MAX: Final = 64 * 1024
_ENTRANCE: Final = "/sign-in"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_REQUESTS = counter("http_requests_total", "Answers by route.", ["route", "method", "status"])
_SECONDS = histogram("http_request_seconds", "Time to answer, by route.", ["route"])
_UNKNOWN_HOST: Final = Trouble(
    status=421,
    code=Refusal.UNKNOWN_HOST,
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


def content_security_policy(links: ForgeLinks, accounts: Accounts) -> str:
    """Forms may end at a forge, and at the provider: the browser follows from our form to there.

    Source: https://www.w3.org/TR/CSP3/#directive-form-action
    """
    origins = " ".join(["'self'", *links.sign_in_origins, *accounts.origins])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'; form-action {origins}; frame-ancestors 'none'; base-uri 'none'"
    )


class Guard:
    """ASGI middleware around all routes."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        address: Address,
        accounts: Accounts,
        screen: Screen,
        links: ForgeLinks,
    ) -> None:
        self._app = app
        self._address = address
        self._accounts = accounts
        self._screen = screen
        self._links = links
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
        }
        if address.secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        started = clock()
        # What the provider says of itself is learnt while we run.
        policy = {"Content-Security-Policy": content_security_policy(self._links, self._accounts)}
        request = Request(scope, receive)
        answer = _Answer(self._headers | policy, send, capsule=partial(self._capsule, request))
        self._know_session(request)
        trouble = self._refused(request)
        if trouble is None:
            trouble = await self._serve(scope, _bounded(receive), answer)
        if trouble is not None and not answer.started:
            await respond(self._screen, request, trouble)(scope, receive, answer)
        self._tell(scope, answer.status, clock() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> Trouble | None:
        try:
            await self._app(scope, receive, send)
        except Rejected as error:
            return problem_of(error)
        except Retryable as error:
            return problem_of(error)
        except ClientDisconnect:
            return _LEFT
        except Exception:  # a bug: whoever asked sees a page, and no traceback
            log.exception("request.failed", route=_route(scope))
            return BUG
        return None

    def _know_session(self, request: Request) -> None:
        """Identify the browser; an unknown one gets an id, so that its forms can be told."""
        sessions, state = self._accounts.sessions, request.scope.setdefault("state", {})
        session_id = sessions.unseal(request.cookies.get(self._address.cookie_name, ""))
        live = not request.url.path.startswith("/events")
        session = sessions.find(session_id, touch=live) if session_id else None
        if session is None and session_id:
            held = request.cookies.get(self._address.capsule_name, "")
            session = sessions.take_up(session_id, held)
        state["session_id"] = session_id or sessions.new_id()
        state["session"] = session
        state["is_new"] = not session_id
        state["form_token"] = sessions.form_token(state["session_id"])

    def _capsule(self, request: Request) -> str:
        """The `Set-Cookie` for other replicas, as the session is when the answer leaves."""
        held = request.cookies.get(self._address.capsule_name, "")
        wanted = self._accounts.sessions.encapsulate(request.scope["state"]["session_id"], held)
        return "" if wanted is None else self._address.capsule(wanted)

    def _refused(self, request: Request) -> Trouble | None:
        if request.headers.get("host", "") != self._address.host:
            return _UNKNOWN_HOST
        if wait_s := self._wait_s(request):
            return problem_of(
                Postponed(
                    Refusal.TOO_MANY_REQUESTS,
                    "too many requests to sign in came from there within 30 seconds",
                    after_s=ceil(wait_s),
                )
            )
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            return problem_of(
                Rejected(Refusal.TOO_LARGE, f"at most {BODY_BYTES_MAX} bytes are taken")
            )
        if request.method not in _SAFE_METHODS and not _same_site(request.headers, self._address):
            return problem_of(
                Rejected(Refusal.CROSS_SITE, "the browser says that another site sent it")
            )
        return None

    def _wait_s(self, request: Request) -> float:
        """Return how long who signs in has to wait; all else that strangers get keeps nothing."""
        if request.scope["state"]["session"] or not request.url.path.startswith(_ENTRANCE):
            return 0.0
        return self._accounts.strangers.wait_s(
            request.client.host if request.client else "",
            forwarded=",".join(request.headers.getlist("x-forwarded-for")),
        )

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = _route(scope), scope["method"]
        known = method if method in {"GET", "HEAD", "POST"} else "other"
        _REQUESTS.labels(route=route, method=known, status=str(status)).inc()
        if route != "/events":
            # Its span has ended by now.
            _SECONDS.labels(route=route).observe(seconds, scope["state"].get("trace"))
        level = log.debug if status < 400 else log.info  # noqa: PLR2004 - first error status
        level("request.answered", route=route, method=known, status=status)


def _same_site(headers: Headers, address: Address) -> bool:
    """A browser says where an action comes from; a program says nothing and needs the token."""
    fetched, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if fetched is not None:
        # Under `Referrer-Policy: no-referrer` a form's own origin is sent as `null`.
        # https://fetch.spec.whatwg.org/#append-a-request-origin-header
        return fetched == "same-origin" and origin in {None, "null", address.url}
    return origin is None or origin == address.url


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
            raise Rejected(Refusal.TOO_LARGE, f"at most {BODY_BYTES_MAX} bytes are taken")
        return message

    return bounded


class _Answer:
    """Passes an answer on with our headers."""

    def __init__(
        self,
        headers: dict[str, str],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
        *,
        capsule: Callable[[], str],
    ) -> None:
        self._headers = headers
        self._send = send
        self._capsule = capsule
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
            if cookie := self._capsule():
                headers.append("Set-Cookie", cookie)
        await self._send(message)


def session_of(request: Request) -> Session:
    """Return the session; routes that need one are not reached without it."""
    session: Session | None = request.scope["state"]["session"]
    if session is None:
        raise Rejected(Refusal.NOT_SIGNED_IN, "this needs somebody who is signed in")
    return session
