"""Puts the forge together: one ASGI application over one store."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from countersign.local.forge.answers import Refused, error_body
from countersign.local.forge.control import Control
from countersign.local.forge.faults import FaultMiddleware, Faults
from countersign.local.forge.git.http import GitHttp
from countersign.local.forge.graph.graph import Graph
from countersign.local.forge.hosts import LOOPBACK, HostMiddleware
from countersign.local.forge.journal import Journal, JournalMiddleware
from countersign.local.forge.limits import RateLimits
from countersign.local.forge.pages.browse_pages import Browsing
from countersign.local.forge.pages.device_pages import DevicePages
from countersign.local.forge.pages.repository_pages import RepositoryPages
from countersign.local.forge.pages.sign_in_pages import SignInPages
from countersign.local.forge.rest.rest import Endpoint, Rest
from countersign.local.forge.rest.table import endpoints
from countersign.local.forge.state.service import Service, Switches
from countersign.local.forge.state.store import Store
from countersign.local.forge.webhooks import Webhooks
from countersign.local.forge.wire import Wire

API = "/api/v3"


@dataclass(frozen=True)
class Forge:
    """The parts that tests and the command reach into."""

    app: Starlette
    service: Service
    faults: Faults
    journal: Journal
    webhooks: Webhooks


def build_app(store: Store, *, origin: str, host_names: Collection[str] = LOOPBACK) -> Forge:
    """The forge as an application.

    Args:
        store: an open store; it stays the caller's to close.
        origin: where browsers and clients reach it, for instance `http://localhost:3000`.
        host_names: names it answers to; any other Host header is refused.

    """
    webhooks, switches, journal = Webhooks(), Switches(), Journal()
    service = Service(store=store, wire=Wire(origin), emit=webhooks.emit, switches=switches)
    faults, limits = Faults(switches), RateLimits(store.clock)
    browsing = Browsing(service)
    routes = [
        *Control(faults, journal, webhooks, store).routes(),
        Route("/_local/forge.css", _stylesheet),
        *_rest_routes(service, limits),
        Route("/api/graphql", Graph(service, limits).answer, methods=["POST"]),
        *DevicePages(browsing).routes(),
        *SignInPages(browsing).routes(),
        *GitHttp(service).routes(),
        *RepositoryPages(browsing).routes(),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            delivering = group.create_task(webhooks.run())
            yield
            delivering.cancel()

    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            Middleware(HostMiddleware, names=host_names),
            Middleware(JournalMiddleware, journal=journal),
            Middleware(FaultMiddleware, faults=faults),
        ],
        exception_handlers={
            Refused: _refused(browsing),
            HTTPException: _refused(browsing),
        },
    )
    return Forge(app, service, faults, journal, webhooks)


def _rest_routes(service: Service, limits: RateLimits) -> list[Route]:
    rest = Rest(service, limits)

    def route(endpoint: Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            return await rest.answer(endpoint, request)

        return Route(API + endpoint.path, answer, methods=[endpoint.method])

    return [route(endpoint) for endpoint in endpoints(limits)]


def _refused(browsing: Browsing) -> Any:
    """JSON for programs, a page for people."""

    async def answer(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = Refused(error.status_code, error.detail)
        if not isinstance(error, Refused):
            raise error
        if request.url.path.startswith(("/api/", "/_local/")):
            return JSONResponse(error_body(error), status_code=error.status)
        with suppress(KeyError):
            heading = {403: "Not allowed", 404: "Not found", 405: "Not like this"}[error.status]
            return browsing.message(request, heading, error.message, status=error.status)
        return browsing.message(request, "Refused", error.message, status=error.status)

    return answer


async def _stylesheet(_: Request) -> Response:
    css = files("countersign.local.forge").joinpath("forge.css").read_text("utf-8")
    return Response(css, media_type="text/css", headers={"cache-control": "max-age=3600"})
