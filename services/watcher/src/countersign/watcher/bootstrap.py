"""Puts the service together and runs it; the only place that names concrete classes."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.settings import BusSettings
from countersign.telemetry.asgi import App
from countersign.telemetry.health import Health
from countersign.telemetry.listening import LoopbackHosts, is_loopback, listen
from countersign.telemetry.listening import serve as serve_app
from countersign.telemetry.logs import get_logger
from countersign.telemetry.serving import serve_health
from countersign.telemetry.setup import Telemetry
from countersign.watcher.directory import Directory
from countersign.watcher.following import Following
from countersign.watcher.handlers import Watching
from countersign.watcher.http import webhook_app
from countersign.watcher.routes import follow_streams
from countersign.watcher.settings import Settings
from countersign.watcher.status_files import StatusFiles

log = get_logger()

SERVICE: Final = "watcher"
_CONNECTIONS_MAX: Final = 64

Secrets = dict[str, tuple[Forge, Secret]]


async def run(
    settings: Settings, bus_settings: BusSettings, telemetry: Telemetry, *, secrets: Secrets
) -> None:
    health = telemetry.health
    async with (
        serve_health(health, telemetry.settings),
        open_bus(bus_settings, service=SERVICE, health=health) as bus,
    ):
        await serve(settings, bus, health=health, secrets=secrets)


async def serve(settings: Settings, bus: Bus, *, health: Health, secrets: Secrets) -> None:
    """Until cancelled."""
    directory = Directory(settings.cluster_dir, reread_s=settings.reread_s)
    links = StatusFiles(directory.path_of)
    watching = Watching(publisher=bus, links=links, clock=_utc_now)
    following = Following(projection=watching.projection, publisher=bus, clock=_utc_now)
    health.add("objects", watching.not_ready)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(directory.follow(watching.on_changes))
        tasks.create_task(follow_streams(bus, watching=watching, following=following))
        tasks.create_task(watching.run())
        if secrets:
            app = webhook_app(following=following, secrets=secrets)
            tasks.create_task(_serve_webhooks(app, settings))


async def _serve_webhooks(app: App, settings: Settings) -> None:
    listener = listen(settings.webhook_host, settings.webhook_port)
    if is_loopback(settings.webhook_host):
        app = LoopbackHosts(app)
    log.info("webhooks.serving", host=settings.webhook_host, port=listener.getsockname()[1])
    await serve_app(app, listener, connections_max=_CONNECTIONS_MAX)


def _utc_now() -> datetime:
    return datetime.now(UTC)
