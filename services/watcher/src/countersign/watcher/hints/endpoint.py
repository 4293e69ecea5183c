"""`POST /promotion/{namespace}/{name}/{environment}`, answered as pipeline-controller does.

Whoever cannot sign learns nothing from it: what does not exist, what has no key and what is wrongly
signed get the same answer, after the same number of HMACs, at the same time after the request.
Source: https://github.com/weaveworks/pipeline-controller/blob/main/server/promotion_handler.go
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import SecretRef
from countersign.contracts.secret import Secret
from countersign.process.clocks import Clocks
from countersign.process.http.asgi import Receive, Scope, Send
from countersign.process.http.rates import Network, RateLimit, place_of
from countersign.watcher.hints.flux_events import BODY_BYTES_MAX, read_event
from countersign.watcher.hints.reception import Answer, Hints, secrets_for
from countersign.watcher.hints.signatures import Signatures, Signed
from countersign.watcher.interfaces import HmacKeys
from countersign.watcher.metrics import HINTS
from countersign.watcher.observation.inventory import pipeline_key

PREFIX: Final = "/promotion/"
APPROVAL_PREFIX: Final = "/approval/"
SIGNATURE_HEADER: Final = "x-signature"
TIMESTAMP_HEADER: Final = "x-signature-timestamp"
# When a refusal is sent, counted from the end of the request. Reading a key from the API server
# must be over by then, or it counts as absent.
REFUSAL_S: Final = 0.5
LOOKUP_S: Final = 0.4
# Refusals that wait at a time; forges need connections too.
WAITING_MAX: Final = 32
_SEGMENTS: Final = 3
Place = tuple[str, str, str]
_GONE: Final = """\
Approving without a person is gone: who approves opens the pull request, with a token of his or her
own. Approve on the board, or with its JSON API as yourself. See docs/webhooks.md.
"""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """The rules for who may ask, and how often."""

    keys: HmacKeys
    signatures: Signatures
    rate: RateLimit
    # Why it is not known yet which Pipelines there are.
    not_ready: Callable[[], str | None]
    clocks: Clocks
    proxies: Sequence[Network] = ()
    refusal_s: float = REFUSAL_S


class PromotionHook:
    """An ASGI application for everything below `/promotion/`."""

    def __init__(self, hints: Hints, guard: Guard) -> None:
        self._hints = hints
        self._guard = guard
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(Request(scope, receive))
        HINTS.labels(source="hook", outcome=str(answer.status_code)).inc()
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        turned_away = self._turned_away(request)
        if turned_away is not None:
            return turned_away
        place = _segments(request)
        if place is None:
            return _plain(HTTPStatus.NOT_FOUND, "needs /namespace/pipeline/environment\n")
        body = await _body(request)
        if isinstance(body, HTTPStatus):
            return _plain(body)
        refuse_at = self._guard.clocks.monotonic() + self._guard.refusal_s
        answer = await self._authorized(request, place, body=body)
        if answer is None:
            await self._wait_until(refuse_at)
            return _plain(HTTPStatus.UNAUTHORIZED)
        headers = {"Location": answer.location} if answer.location else {}
        return _plain(answer.status, answer.text and f"{answer.text}\n", headers=headers)

    def _turned_away(self, request: Request) -> Response | None:
        """The answer to a request that nobody looks at, for reasons that are the same for all."""
        if request.method != "POST":
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        wait_s = self._guard.rate.take(self._sender(request))
        if wait_s or self._waiting >= WAITING_MAX:
            return _too_many(wait_s, now=self._guard.clocks.wall())
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE) if self._guard.not_ready() else None

    async def _authorized(self, request: Request, place: Place, *, body: bytes) -> Answer | None:
        namespace, name, environment = place
        pipeline = self._hints.pipeline(pipeline_key(namespace, name))
        named = secrets_for(pipeline, environment) if pipeline else (None, None)
        signed = Signed(
            body=body,
            path=_path(request),
            signature=request.headers.get(SIGNATURE_HEADER, ""),
            timestamp=request.headers.get(TIMESTAMP_HEADER),
        )
        keys = await asyncio.gather(*map(self._key, named))
        if not self._guard.signatures.accepts(signed, keys=keys) or pipeline is None:
            return None
        try:
            event = read_event(body)
        except Rejected:
            return Answer(status=HTTPStatus.BAD_REQUEST)
        return self._hints.on_request(event, pipeline=pipeline, environment=environment)

    async def _key(self, secret: SecretRef | None) -> Secret | None:
        return await self._guard.keys.read(secret) if secret else None

    def _sender(self, request: Request) -> str:
        return place_of(
            request.client.host if request.client else "",
            forwarded=",".join(request.headers.getlist("x-forwarded-for")),
            proxies=self._guard.proxies,
        )

    async def _wait_until(self, moment: float) -> None:
        self._waiting += 1
        try:
            await self._guard.clocks.sleep(max(0.0, moment - self._guard.clocks.monotonic()))
        finally:
            self._waiting -= 1


class ApprovalIsGone:
    """`POST /approval/...`: the same for everybody, so there is nothing to find out."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _plain(HTTPStatus.GONE, _GONE)
        if scope["method"] != "POST":
            answer = _plain(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        await answer(scope, receive, send)


def _path(request: Request) -> bytes:
    """Return the path as it was sent: a slash in a name is `%2F` there."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return raw.partition(b"?")[0]


def _segments(request: Request) -> Place | None:
    parts = _path(request).decode("ascii", "replace").removeprefix(PREFIX).split("/")
    if len(parts) != _SEGMENTS or not all(parts):
        return None
    namespace, name, environment = map(unquote, parts)
    return namespace, name, environment


async def _body(request: Request) -> bytes | HTTPStatus:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    except ClientDisconnect:
        return HTTPStatus.BAD_REQUEST
    return bytes(body)


def _too_many(wait_s: float, *, now: datetime) -> Response:
    at = now + timedelta(seconds=max(1.0, wait_s))
    return _plain(
        HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": format_datetime(at, usegmt=True)}
    )


def _plain(
    status: HTTPStatus, text: str = "", *, headers: dict[str, str] | None = None
) -> PlainTextResponse:
    return PlainTextResponse(
        text, status_code=status, headers={"X-Content-Type-Options": "nosniff", **(headers or {})}
    )
