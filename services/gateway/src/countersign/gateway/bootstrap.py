"""Puts the gateway together: the only module that names concrete classes."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from countersign.contracts.forge_list import ForgeList
from countersign.gateway.cluster_access import ClusterAccess
from countersign.gateway.connecting import LateBus
from countersign.gateway.feed import BusFeed
from countersign.gateway.handlers import Handlers
from countersign.gateway.hub import Hub
from countersign.gateway.interfaces import Access
from countersign.gateway.people import LocalAccess, LocalSignIn, read_people
from countersign.gateway.projection import STREAMS, Projection
from countersign.gateway.rendering import Templates
from countersign.gateway.routes import application
from countersign.gateway.schedule import recheck_rights
from countersign.gateway.sessions import Sessions
from countersign.gateway.settings import GatewaySettings
from countersign.gateway.site import Site
from countersign.gateway.static_files import read_static_files
from countersign.kube.http_api import KubeSettings, cluster_api
from countersign.messaging.bus import Bus
from countersign.messaging.projecting import follow
from countersign.messaging.settings import BusSettings
from countersign.telemetry.configuration import read_document
from countersign.telemetry.listening import listen, serve
from countersign.telemetry.logs import get_logger
from countersign.telemetry.processes import single_error
from countersign.telemetry.serving import serve_health
from countersign.telemetry.setup import Telemetry

log = get_logger()

CONNECTIONS_MAX: Final = 4_096


def now() -> datetime:
    return datetime.now(UTC)


def public_url(settings: GatewaySettings, listener: socket.socket) -> str:
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


@asynccontextmanager
async def access_of(kube: KubeSettings) -> AsyncIterator[Access]:
    """Who may do what: as the cluster says, where there is one."""
    if not kube.in_use:
        yield LocalAccess()
        return
    async with cluster_api(kube) as api:
        yield ClusterAccess(api, elapsed=time.monotonic)


async def run(
    settings: GatewaySettings, bus_settings: BusSettings, kube: KubeSettings, told: Telemetry
) -> None:
    """Serve until cancelled."""
    async with access_of(kube) as access:
        await _run(settings, bus_settings, access, told)


async def _run(
    settings: GatewaySettings, bus_settings: BusSettings, access: Access, told: Telemetry
) -> None:
    people = read_people(settings.people_file)
    listed = settings.forges_file
    forges = read_document(listed, ForgeList) if listed else ForgeList()
    listener = listen(settings.host, settings.port)
    static = read_static_files()
    templates = Templates(clock=now, static=static)
    webhooks = frozenset(f.origin for f in forges.forges if f.webhook_secret_file)
    projection = Projection(webhooks=webhooks)
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
    app = application(site, static)

    async def read(connected: Bus) -> None:
        await follow(
            connected,
            streams=STREAMS,
            apply=feed.apply,
            caught_up=feed.caught_up,
            restarted=feed.restarted,
        )

    with single_error():
        async with serve_health(told.health, told.settings), asyncio.TaskGroup() as tasks:
            tasks.create_task(hub.run())
            tasks.create_task(feed.watch(bus))
            tasks.create_task(recheck_rights(site))
            tasks.create_task(bus.run(bus_settings, health=told.health, use=read))
            tasks.create_task(
                serve(app, listener, connections_max=CONNECTIONS_MAX, on_stop=hub.close)
            )
            log.info("gateway.serving", url=site.public_url)
