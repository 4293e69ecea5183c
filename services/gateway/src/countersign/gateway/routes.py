"""Every address of the gateway: by which method, for whom, and who answers.

A route is closed unless its row says otherwise; what has no row does not exist.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import ASGIApp

from countersign.contracts.errors import Rejected
from countersign.gateway.api.api import Api
from countersign.gateway.html.static_files import StaticFiles
from countersign.gateway.model import PipelineKey
from countersign.gateway.view import addresses
from countersign.gateway.web.actions import Actions
from countersign.gateway.web.entrance import Entrance
from countersign.gateway.web.events import Events
from countersign.gateway.web.guards import Guard, session_of
from countersign.gateway.web.pages import Pages
from countersign.gateway.web.site import Site
from countersign.gateway.web.tracing import request_span

COMPRESS_BYTES_MIN: Final = 1_024
Endpoint = Callable[[Request], Awaitable[Response]]


class Who(Enum):
    """For whom a route is."""

    EVERYBODY = auto()
    # Sent to the sign-in page and back.
    SIGNED_IN = auto()
    # Told that they are not signed in.
    SIGNED_IN_PROGRAM = auto()


@dataclass(frozen=True)
class Row:
    """One address by one method."""

    method: str
    path: str
    endpoint: Endpoint
    who: Who = Who.SIGNED_IN
    # Whether what somebody may see and do matters to it.
    by_rights: bool = True


def table(site: Site, static: StaticFiles) -> tuple[Row, ...]:
    pages, actions, entrance = Pages(site), Actions(site), Entrance(site, static)
    events, api = Events(site), Api(site)
    open_to_all, program = Who.EVERYBODY, Who.SIGNED_IN_PROGRAM
    return (
        Row("GET", "/", pages.board),
        Row("GET", "/p/{namespace}/{name}", pages.pipeline),
        Row("GET", "/p/{namespace}/{name}/{environment}", pages.gate),
        Row("GET", "/p/{namespace}/{name}/{environment}/promote", pages.consent),
        Row("POST", "/p/{namespace}/{name}/{environment}/promote", actions.begin),
        Row("POST", "/p/{namespace}/{name}/{environment}/approve", actions.approve),
        Row("POST", "/p/{namespace}/{name}/{environment}/reject", actions.reject),
        Row("POST", "/p/{namespace}/{name}/{environment}/retry", actions.retry),
        Row("GET", "/promotions/{promotion_id}", pages.promotion),
        Row("GET", "/oauth/callback/{forge}", actions.callback, by_rights=False),
        Row("GET", "/credentials", pages.credentials),
        Row("GET", "/credentials/{namespace}/{secret}", pages.credential),
        Row("GET", "/record", pages.record),
        Row("GET", "/record.csv", pages.record_csv),
        Row("GET", "/help", pages.help, by_rights=False),
        Row("GET", "/events", events.stream, program),
        Row("GET", "/sign-in", entrance.sign_in, open_to_all),
        Row("POST", "/sign-in", actions.sign_in, open_to_all),
        Row("GET", "/sign-in/begin", entrance.begin, open_to_all),
        Row("GET", "/sign-in/callback", entrance.complete, open_to_all),
        Row("POST", "/sign-out", actions.sign_out, by_rights=False),
        Row("GET", "/static/{path:path}", entrance.static, open_to_all),
        Row("GET", "/favicon.ico", entrance.favicon, open_to_all),
        Row("GET", "/api/v1/openapi.json", api.openapi, open_to_all),
        Row("GET", "/api/v1/session", api.session, program, by_rights=False),
        Row("GET", "/api/v1/pipelines", api.pipelines, program),
        Row("GET", "/api/v1/pipelines/{namespace}/{name}", api.pipeline, program),
        Row("GET", "/api/v1/promotions", api.promotions, program),
        Row("GET", "/api/v1/promotions/{promotion_id}", api.promotion, program),
        Row("POST", "/api/v1/promotions/{promotion_id}/begin", api.begin, program),
        Row("POST", "/api/v1/promotions/{promotion_id}/approve", api.approve, program),
        Row("POST", "/api/v1/promotions/{promotion_id}/reject", api.reject, program),
        Row("POST", "/api/v1/promotions/{promotion_id}/retry", api.retry, program),
        Row("GET", "/api/v1/credentials", api.credentials, program),
        Row("GET", "/api/v1/credentials/{namespace}/{secret}", api.credential, program),
        Row("GET", "/api/v1/record", api.record, program),
    )


def application(site: Site, static: StaticFiles) -> ASGIApp:
    """The whole of it as an ASGI application."""
    rows = sorted(table(site, static), key=lambda r: r.path)
    routes = [
        StarletteRoute(path, _dispatch(site, path, tuple(group)), methods=_ALL_METHODS)
        for path, group in groupby(rows, key=lambda r: r.path)
    ]
    # Longer paths first, so that a parameter never swallows a fixed last part.
    routes.sort(key=lambda r: (-r.path.count("/"), r.path.count("{")))
    router = Router([*routes, StarletteRoute("/{path:path}", _nothing, methods=_ALL_METHODS)])
    router.redirect_slashes = False
    # Streams of events are left as they are; files come compressed already.
    compressed = GZipMiddleware(router, minimum_size=COMPRESS_BYTES_MIN, compresslevel=5)
    return Guard(compressed, site=site)


_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _dispatch(site: Site, path: str, rows: tuple[Row, ...]) -> Endpoint:
    by_method = {row.method: row for row in rows}

    async def endpoint(request: Request) -> Response:
        state = request.scope["state"]
        state["route"] = path
        method = "GET" if request.method == "HEAD" else request.method
        row = by_method.get(method)
        if row is None:
            allowed = " and ".join(sorted(by_method))
            raise Rejected("method", f"this address takes {allowed}")
        if row.who is not Who.EVERYBODY and state["session"] is None:
            return _ask_to_sign_in(request, row)
        with request_span(row.method, path) as answered:
            if row.by_rights and state["session"] is not None:
                await _learn(site, request)
            answer = await row.endpoint(request)
            answered(answer.status_code)
            return answer

    return endpoint


async def _learn(site: Site, request: Request) -> None:
    """What one may see and do with what the address names, or with all of it."""
    person, named = session_of(request).person, request.path_params
    if "promotion_id" in named:
        await site.learn(person, promotion_id=addresses.text_of(named["promotion_id"]))
        return
    key = None
    if "namespace" in named:
        parts = (named["namespace"], named.get("name", ""))
        key = PipelineKey(*map(addresses.text_of, parts))
    await site.learn(person, key=key)


def _ask_to_sign_in(request: Request, row: Row) -> Response:
    if row.who is Who.SIGNED_IN_PROGRAM or row.method != "GET":
        raise Rejected("not_signed_in", "this needs somebody who is signed in")
    # A callback's query holds a code, which must not end up in another address.
    private = request.url.path.startswith("/oauth/")
    query = "" if private else request.url.query
    to = request.url.path + (f"?{query}" if query else "")
    address = "/sign-in?" + urlencode({"to": "/" if private else to})
    return RedirectResponse(address, status_code=303)


async def _nothing(request: Request) -> Response:
    raise Rejected("not_found", f"{request.url.path!r} is no address of Countersign")
