"""Puts the gateway together: the only module that names concrete classes."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvicorn
import yaml
from pydantic import ValidationError
from starlette.types import ASGIApp

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import ForgeList
from countersign.gateway.connecting import LateBus
from countersign.gateway.feed import BusFeed
from countersign.gateway.handlers import Handlers
from countersign.gateway.hub import Hub
from countersign.gateway.people import LocalAccess, LocalSignIn, read_people
from countersign.gateway.projection import STREAMS, Projection
from countersign.gateway.rendering import Templates
from countersign.gateway.routes import application
from countersign.gateway.sessions import Sessions
from countersign.gateway.settings import GatewaySettings
from countersign.gateway.site import Site
from countersign.gateway.static_files import read_static_files
from countersign.messaging.bus import Bus
from countersign.messaging.projecting import follow
from countersign.messaging.settings import BusSettings
from countersign.telemetry.logs import get_logger
from countersign.telemetry.serving import serve_health
from countersign.telemetry.setup import Telemetry

log = get_logger()

FORGES_BYTES_MAX: Final = 1024 * 1024
STOP_TIMEOUT_S: Final = 5
CONNECTIONS_MAX: Final = 4_096


def now() -> datetime:
    return datetime.now(UTC)


def read_forges(path: Path | None) -> ForgeList:
    """
    Raises:
        Rejected: `forges_file`; says what is wrong with it.

    """
    if path is None:
        return ForgeList()
    try:
        body = path.read_bytes()
        if len(body) > FORGES_BYTES_MAX:
            raise Rejected("forges_file", f"{path} is larger than {FORGES_BYTES_MAX} bytes")
        return ForgeList.model_validate(yaml.safe_load(body) or {})
    except OSError as error:
        raise Rejected("forges_file", f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise Rejected("forges_file", f"{path} is not YAML") from error
    except ValidationError as error:
        places = "; ".join(".".join(map(str, d["loc"])) + ": " + d["msg"] for d in error.errors())
        raise Rejected("forges_file", f"{path}: {places}") from None


def listen(settings: GatewaySettings) -> socket.socket:
    """
    Raises:
        Rejected: `address`; the port is taken or the address is none of ours.

    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise Rejected("address", f"cannot listen on {where}: {error.strerror}") from error
    return listener


def public_url(settings: GatewaySettings, listener: socket.socket) -> str:
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


class Server(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_of(app: ASGIApp) -> Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        # A callback's query holds a code, which must not be logged.
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        proxy_headers=False,
    )
    return Server(config)


async def run(settings: GatewaySettings, bus_settings: BusSettings, told: Telemetry) -> None:
    """Serve until cancelled."""
    people = read_people(settings.people_file)
    forges = read_forges(settings.forges_file)
    listener = listen(settings)
    static = read_static_files()
    templates = Templates(clock=now, static=static)
    webhooks = frozenset(f.origin for f in forges.forges if f.webhook_secret_file)
    projection, access = Projection(webhooks=webhooks), LocalAccess()
    hub = Hub(projection=projection, templates=templates, access=access)
    feed = BusFeed(projection=projection, hub=hub, templates=templates, clock=now)
    told.health.add("feed", feed.not_ready)
    bus = LateBus()
    site = Site(
        public_url=public_url(settings, listener),
        projection=projection,
        handlers=Handlers(bus),
        sessions=Sessions(clock=now),
        sign_in=LocalSignIn(people),
        access=access,
        feed=feed,
        hub=hub,
        templates=templates,
        forges=forges,
        clock=now,
    )
    server = server_of(application(site, static))

    async def read(connected: Bus) -> None:
        await follow(
            connected,
            streams=STREAMS,
            apply=feed.apply,
            caught_up=feed.caught_up,
            restarted=feed.restarted,
        )

    async with serve_health(told.health, told.settings), asyncio.TaskGroup() as tasks:
        tasks.create_task(hub.run())
        tasks.create_task(feed.watch(bus))
        tasks.create_task(bus.run(bus_settings, health=told.health, use=read))
        tasks.create_task(_serve(server, listener, hub))
        log.info("gateway.serving", url=site.public_url)


async def _serve(server: Server, listener: socket.socket, hub: Hub) -> None:
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        hub.close()
        server.should_exit = True
        await asyncio.wait_for(serving, STOP_TIMEOUT_S + 1)
