"""Answers REST requests as GitHub does: who asks, may they, the handler, the headers around it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from countersign.local.forge.answers import Answer, Call, Refused, error_body
from countersign.local.forge.limits import RateLimits
from countersign.local.forge.state import tokens
from countersign.local.forge.state.model import Repository, Token, TokenKind
from countersign.local.forge.state.permissions import Caller, Need, refusal
from countersign.local.forge.state.service import Denied, Service

# GitHub takes blobs of 100 MB; base64 and JSON around 40 MB are more than any test sends.
BODY_BYTES_MAX = 64 * 1024 * 1024
STATUSES = {
    "exists": 422,
    "invalid": 422,
    "head": 422,
    "base": 422,
    "protected": 422,
    "missing": 422,
    "stale": 409,
    "conflict": 409,
    "unmergeable": 405,
    "forbidden": 403,
}


class Guard(Enum):
    """The condition under which a request is answered at all."""

    ANYONE = "anyone"
    HOLDER = "somebody with a token"
    CLIENT = "an application's id and secret, Basic"
    APP = "an application's JWT"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    method: str
    path: str
    handler: Callable[[Call], Answer]
    guard: Guard = Guard.ANYONE
    need: Need | None = None
    counted: bool = True


async def read_body(request: Request, *, body_bytes_max: int = BODY_BYTES_MAX) -> bytes:
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > body_bytes_max:
                raise Refused(413, "Payload too big")
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise Refused(400, "The client went away") from error
    return b"".join(chunks)


def caller_of(service: Service, authorization: str) -> Caller:
    """Return the caller that a token belongs to; nobody without one.

    Raises:
        Refused: 401 as GitHub says it, for an unknown, revoked or expired token.

    """
    text = tokens.presented(authorization) if authorization else None
    if text is None:
        return Caller()
    token = tokens.find(service.store, text)
    caller = tokens.caller(service.store, token) if token else None
    if caller is None:
        raise Refused(401, "Bad credentials")
    return caller


@dataclass(frozen=True)
class Rest:
    service: Service
    limits: RateLimits

    async def answer(self, endpoint: Endpoint, request: Request) -> Response:
        caller = Caller()
        try:
            body = await read_body(request)
            caller = self._admit(endpoint, request)
            answer = endpoint.handler(self._call(endpoint, request, caller, body))
        except Denied as denied:
            refused = Refused(STATUSES[denied.reason], denied.message)
            answer = Answer(status=refused.status, body=error_body(refused))
        except Refused as refused:
            answer = Answer(status=refused.status, body=error_body(refused))
        return self._response(endpoint, request, caller, answer)

    def _admit(self, endpoint: Endpoint, request: Request) -> Caller:
        header, store = request.headers.get("authorization", ""), self.service.store
        if endpoint.guard is Guard.CLIENT:
            client = tokens.client(store, header)
            if client is None or client.client_id != request.path_params["client_id"]:
                # GitHub does not say which of id and secret is wrong.
                raise Refused(404, "Not Found")
            return Caller(app=client, installed=store.installed(client))
        if endpoint.guard is Guard.APP:
            app = tokens.app_by_jwt(store, header)
            if app is None:
                raise Refused(401, "A JSON web token could not be decoded")
            return Caller(app=app, installed=store.installed(app))
        caller = caller_of(self.service, header)
        if endpoint.guard is Guard.HOLDER and caller.token is None:
            raise Refused(401, "Requires authentication")
        return caller

    def _call(self, endpoint: Endpoint, request: Request, caller: Caller, body: bytes) -> Call:
        return Call(
            service=self.service,
            caller=caller,
            path=request.path_params,
            query=request.query_params,
            headers=request.headers,
            body=_json(body),
            url=self.service.wire.origin + request.url.path,
            found=self._repository(endpoint, request, caller),
        )

    def _repository(
        self, endpoint: Endpoint, request: Request, caller: Caller
    ) -> Repository | None:
        params = request.path_params
        if endpoint.need is None or "repo" not in params:
            return None
        found = self.service.store.repository(params["owner"], params["repo"])
        if found is None:
            raise Refused(404, "Not Found")
        refused = refusal(caller, found, endpoint.need)
        if refused:
            raise Refused(refused.status, refused.message)
        return found

    def _response(
        self, endpoint: Endpoint, request: Request, caller: Caller, answer: Answer
    ) -> Response:
        content, status = answer.content(), answer.status
        headers = {
            **token_headers(caller.token),
            **_accepted(endpoint, caller),
            **answer.headers,
            "x-github-media-type": "github.v3; format=json",
            "x-github-request-id": self.service.store.new_secret(16).upper(),
            "x-github-enterprise-version": "3.19.0",
            "x-content-type-options": "nosniff",
        }
        if request.method == "GET" and status == 200:  # noqa: PLR2004 - HTTP's OK
            etag = 'W/"' + hashlib.sha256(content).hexdigest() + '"'
            headers |= {"etag": etag, "cache-control": "private, max-age=60, s-maxage=60"}
            if etag in request.headers.get("if-none-match", ""):
                content, status = b"", 304
        # https://docs.github.com/en/rest/using-the-rest-api/best-practices: a 304 is not counted
        counted = endpoint.counted and status != 304  # noqa: PLR2004 - Not Modified
        headers |= self.limits.headers(caller, "core", count=counted)
        if content:
            headers["content-type"] = answer.media_type
        return Response(content, status_code=status, headers=headers)


def token_headers(token: Token | None) -> dict[str, str]:
    """Build the headers by which GitHub describes the token of a request.

    Source: https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/token-expiration-and-revocation
    """
    if token is None:
        return {}
    headers = {}
    if token.kind in (TokenKind.CLASSIC, TokenKind.OAUTH):
        headers["x-oauth-scopes"] = ", ".join(token.scopes)
    personal = token.kind in (TokenKind.CLASSIC, TokenKind.FINE_GRAINED)
    if personal and token.expires_at:
        when = token.expires_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        headers["github-authentication-token-expiration"] = when
    return headers


def _accepted(endpoint: Endpoint, caller: Caller) -> Mapping[str, str]:
    token = caller.token
    if token is None:
        return {}
    if token.kind in (TokenKind.CLASSIC, TokenKind.OAUTH):
        return {"x-accepted-oauth-scopes": "repo" if endpoint.need else ""}
    words = endpoint.need.words if endpoint.need else "allows_permissionless_access=true"
    return {"x-accepted-github-permissions": words}


def _json(body: bytes) -> Mapping[str, Any]:
    if not body:
        return {}
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise Refused(400, "Problems parsing JSON") from error
    if not isinstance(parsed, dict):
        raise Refused(400, "Body should be a JSON object")
    return parsed
