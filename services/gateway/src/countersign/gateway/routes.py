"""Every address of the gateway: by which method, for whom, and who answers.

A route is closed unless its row says otherwise; what has no row does not exist.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from typing import Final, TypedDict
from urllib.parse import urlencode

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import ASGIApp

from countersign.contracts.errors import Rejected
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.api.api import Api
from countersign.gateway.approval_client import ApprovalClient
from countersign.gateway.auditor_client import AuditorClient
from countersign.gateway.html.documents import Documents
from countersign.gateway.html.static_files import StaticFiles
from countersign.gateway.interfaces import Reviewer
from countersign.gateway.live.hub import Hub
from countersign.gateway.model import PipelineKey
from countersign.gateway.pages.actions import Actions
from countersign.gateway.pages.board import BoardPages, HelpPages
from countersign.gateway.pages.callbacks import Callbacks
from countersign.gateway.pages.consent import ConsentPages
from countersign.gateway.pages.credentials import CredentialPages
from countersign.gateway.pages.entrance import Entrance, Exit
from countersign.gateway.pages.events import Events
from countersign.gateway.pages.files import Files
from countersign.gateway.pages.history import HistoryPages
from countersign.gateway.pages.promotions import PromotionPages
from countersign.gateway.pages.record import RecordPages
from countersign.gateway.pages.reviews import DelegationForms, ReviewPages
from countersign.gateway.refusals import Refusal
from countersign.gateway.text import addresses
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.web.address import Address
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import Guard, session_of
from countersign.gateway.web.spans import request_span
from countersign.telemetry.tracing import current_ids

COMPRESS_BYTES_MIN: Final = 1_024
API_ENVIRONMENT: Final = "/api/v1/pipelines/{namespace}/{name}/environments/{environment}"
Endpoint = Callable[[Request], Awaitable[Response]]


class Who(Enum):
    """The people or programs that a route is for."""

    EVERYBODY = auto()
    # Sent to the sign-in page and back.
    SIGNED_IN = auto()
    # Told that they are not signed in.
    SIGNED_IN_PROGRAM = auto()


@dataclass(frozen=True, kw_only=True)
class Site:
    """One gateway. `routes` gives each page the parts that it uses."""

    address: Address
    accounts: Accounts
    visibility: Visibility
    screen: Screen
    hub: Hub
    approval: ApprovalClient
    auditor: AuditorClient
    reviewer: Reviewer
    links: ForgeLinks


class Shown(TypedDict):
    """The parts that every page takes."""

    visibility: Visibility
    screen: Screen


class Edge(TypedDict):
    """The parts that every page takes that begins or ends a session."""

    address: Address
    accounts: Accounts
    screen: Screen


@dataclass(frozen=True)
class Row:
    """One address by one method."""

    method: str
    path: str
    endpoint: Endpoint
    who: Who = Who.SIGNED_IN
    # Whether what somebody may see and do matters to it.
    by_rights: bool = True


def table(site: Site, static: StaticFiles, documents: Documents) -> tuple[Row, ...]:
    seen: Shown = {"visibility": site.visibility, "screen": site.screen}
    record, history = RecordPages(**seen), HistoryPages(**seen)
    board = BoardPages(**seen, tallies=site.hub.tallies)
    promotions = PromotionPages(**seen, approval=site.approval)
    actions = Actions(**seen, approval=site.approval, accounts=site.accounts, hub=site.hub)
    callbacks = Callbacks(
        approval=site.approval,
        projection=site.visibility.projection,
        hub=site.hub,
        screen=site.screen,
    )
    edge: Edge = {"address": site.address, "accounts": site.accounts, "screen": site.screen}
    entrance, files = Entrance(**edge), Files(static)
    way_out = Exit(**edge, approval=site.approval, hub=site.hub)
    events = Events(visibility=site.visibility, hub=site.hub, sessions=site.accounts.sessions)
    api = Api(
        visibility=site.visibility,
        approval=site.approval,
        sessions=site.accounts.sessions,
        screen=site.screen,
    )
    open_to_all, program = Who.EVERYBODY, Who.SIGNED_IN_PROGRAM
    return (
        Row("GET", "/", board.board),
        Row("GET", "/p/{namespace}/{name}", promotions.pipeline),
        Row("GET", "/p/{namespace}/{name}/{environment}", promotions.gate),
        Row("GET", "/p/{namespace}/{name}/{environment}/promote", ConsentPages(**seen).consent),
        Row("POST", "/p/{namespace}/{name}/{environment}/promote", actions.begin),
        Row("POST", "/p/{namespace}/{name}/{environment}/cancel", actions.cancel),
        Row("POST", "/p/{namespace}/{name}/{environment}/approve", actions.approve),
        Row("POST", "/p/{namespace}/{name}/{environment}/reject", actions.reject),
        Row("POST", "/p/{namespace}/{name}/{environment}/retry", actions.retry),
        Row("GET", "/p/{namespace}/{name}/{environment}/history", history.history),
        Row("GET", "/promotions/{promotion_id}", promotions.promotion),
        Row("GET", "/oauth/callback/{forge}", callbacks.callback, by_rights=False),
        *_reviewing(site, seen),
        Row("GET", "/record", record.record),
        Row("GET", "/record.csv", record.record_csv),
        Row("GET", "/record.jsonl", record.record_jsonl),
        *_helping(site, documents),
        Row("GET", "/events", events.stream, program),
        Row("GET", "/sign-in", entrance.sign_in, open_to_all),
        Row("POST", "/sign-in", entrance.choose, open_to_all),
        Row("GET", "/sign-in/begin", entrance.begin, open_to_all),
        Row("GET", "/sign-in/callback", entrance.complete, open_to_all),
        Row("POST", "/sign-out", way_out.sign_out, by_rights=False),
        Row("POST", "/sign-out/everywhere", way_out.sign_out_everywhere, by_rights=False),
        Row("GET", "/static/{path:path}", files.static, open_to_all),
        Row("GET", "/favicon.ico", files.favicon, open_to_all),
        Row("GET", "/api/v1/openapi.json", api.openapi, open_to_all),
        Row("GET", "/api/v1/session", api.session, program, by_rights=False),
        Row("GET", "/api/v1/pipelines", api.pipelines, program),
        Row("GET", "/api/v1/pipelines/{namespace}/{name}", api.pipeline, program),
        Row("GET", f"{API_ENVIRONMENT}/history", api.history, program),
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


def _helping(site: Site, documents: Documents) -> tuple[Row, ...]:
    pages = HelpPages(documents=documents, screen=site.screen)
    return (
        Row("GET", "/help", pages.help, by_rights=False),
        Row("GET", "/help/docs/{path:path}", pages.document, by_rights=False),
    )


def _reviewing(site: Site, seen: Shown) -> tuple[Row, ...]:
    """Return the rows by which a reviewer learns who could bring something where."""
    credentials = CredentialPages(**seen, accounts=site.accounts, auditor=site.auditor)
    reviews = ReviewPages(**seen, reviewer=site.reviewer)
    delegations = DelegationForms(
        **seen, accounts=site.accounts, approval=site.approval, hub=site.hub
    )
    environment = "/p/{namespace}/{name}/{environment}"
    return (
        Row("GET", "/credentials", credentials.credentials),
        Row("GET", "/credentials.csv", credentials.credentials_csv),
        Row("GET", "/credentials.json", credentials.credentials_json),
        Row("GET", "/credentials/{namespace}/{secret}", credentials.credential),
        Row("POST", "/credentials/{namespace}/{secret}/check", credentials.check),
        Row("POST", "/delegations/revoke", delegations.revoke, by_rights=False),
        Row("GET", f"{environment}/access", reviews.environment),
        Row("GET", f"{environment}/access.csv", reviews.environment_csv),
        Row("GET", f"{environment}/access.json", reviews.environment_json),
    )


def application(site: Site, static: StaticFiles, documents: Documents) -> ASGIApp:
    """The whole of it as an ASGI application."""
    rows = sorted(table(site, static, documents), key=lambda r: r.path)
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
    return Guard(
        compressed,
        address=site.address,
        accounts=site.accounts,
        screen=site.screen,
        links=site.links,
    )


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
            raise Rejected(Refusal.METHOD, f"this address takes {allowed}")
        if row.who is not Who.EVERYBODY and state["session"] is None:
            return _ask_to_sign_in(request, row)
        with request_span(row.method, path) as answered:
            state["trace"] = current_ids()
            if row.by_rights and state["session"] is not None:
                await _learn(site.visibility, request)
            answer = await row.endpoint(request)
            answered(answer.status_code)
            return answer

    return endpoint


async def _learn(visibility: Visibility, request: Request) -> None:
    """Find out the person's rights to what the address names, or to everything."""
    person, named = session_of(request).person, request.path_params
    if "promotion_id" in named:
        await visibility.learn(person, promotion_id=addresses.text_of(named["promotion_id"]))
        return
    key = None
    if "namespace" in named:
        parts = (named["namespace"], named.get("name", ""))
        key = PipelineKey(*map(addresses.text_of, parts))
    await visibility.learn(person, key=key)


def _ask_to_sign_in(request: Request, row: Row) -> Response:
    if row.who is Who.SIGNED_IN_PROGRAM or row.method != "GET":
        raise Rejected(Refusal.NOT_SIGNED_IN, "this needs somebody who is signed in")
    # A callback's query holds a code, which must not end up in another address.
    private = request.url.path.startswith("/oauth/")
    query = "" if private else request.url.query
    to = request.url.path + (f"?{query}" if query else "")
    address = "/sign-in?" + urlencode({"to": "/" if private else to})
    return RedirectResponse(address, status_code=303)


async def _nothing(request: Request) -> Response:
    del request
    raise Rejected(Refusal.NOT_FOUND, "there is no page at this address")
