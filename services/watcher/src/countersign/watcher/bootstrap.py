"""Puts the service together and runs it; the only place that names concrete classes."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.kube.access.http_api import cluster_api
from countersign.kube.flux.rules import read_object
from countersign.kube.watches.watching_api import watching_api
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.settings import BusSettings
from countersign.process.asgi import App
from countersign.process.health import Health
from countersign.process.listening import LoopbackHosts, is_loopback, listen
from countersign.process.listening import serve as serve_app
from countersign.process.serving import serve_health
from countersign.process.setup import Telemetry
from countersign.telemetry.logs import get_logger
from countersign.watcher.hints.hints import Hints
from countersign.watcher.hints.hook_keys import ClusterKeys, FolderKeys, KeptKeys
from countersign.watcher.hints.hook_looks import HookLooks
from countersign.watcher.hints.promotion_hook import LOOKUP_S, Guard, PromotionHook
from countersign.watcher.hints.rates import RateLimit
from countersign.watcher.hints.signatures import Signatures
from countersign.watcher.http import webhook_app
from countersign.watcher.interfaces import HmacKeys, LinkStore
from countersign.watcher.observation.handlers import Watching
from countersign.watcher.pulls.following import Following
from countersign.watcher.reading.cluster import Cluster
from countersign.watcher.reading.directory import Directory
from countersign.watcher.reading.remote_cluster import Ways
from countersign.watcher.routes import Tell, follow_hints, follow_streams
from countersign.watcher.settings import Settings
from countersign.watcher.status.status_files import StatusFiles
from countersign.watcher.status.status_objects import Pace, StatusObjects
from countersign.watcher.status.step_events import StepEvents

log = get_logger()

SERVICE: Final = "watcher"
_CONNECTIONS_MAX: Final = 64
PACE: Final = Pace()

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


async def serve(
    settings: Settings, bus: Bus, *, health: Health, secrets: Secrets, pace: Pace = PACE
) -> None:
    """Until cancelled."""
    async with _ground(settings, health, replica=bus.replica, pace=pace) as ground:
        watching = Watching(
            publisher=bus,
            links=ground.links,
            clock=_utc_now,
            namespaces=settings.only_namespaces if settings.kube.in_use else frozenset(),
        )
        following = Following(projection=watching.projection, publisher=bus, clock=_utc_now)
        health.add("objects", watching.not_ready)
        hints = Hints(world=watching.world, projection=watching.projection, look=watching.on_hint)
        keys = ground.keys
        hook = _hook(hints, settings, keys=keys, watching=watching) if keys else None
        looks = _looks(keys, watching) if keys else None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ground.source.follow(watching.on_changes))
            tasks.create_task(
                follow_streams(bus, watching=watching, following=following, tell=ground.tell)
            )
            tasks.create_task(follow_hints(bus, hints))
            tasks.create_task(watching.run())
            for job in ground.jobs:
                tasks.create_task(job())
            if looks is not None:
                tasks.create_task(looks.run())
            if secrets or hook:
                app = webhook_app(following=following, secrets=secrets, clock=time.time, hook=hook)
                tasks.create_task(_serve_webhooks(app, settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """Where objects, the memory beside them, and keys are, and who is told of steps."""

    source: Cluster | Directory
    links: LinkStore
    keys: HmacKeys | None
    tell: Tell | None = None
    jobs: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()


@asynccontextmanager
async def _ground(
    settings: Settings, health: Health, *, replica: str, pace: Pace
) -> AsyncIterator[_Ground]:
    keys = FolderKeys(settings.secrets_dir) if settings.secrets_dir else None
    read = partial(read_object, paths=settings.revision_path_of)
    if settings.kube.in_use:
        async with cluster_api(settings.kube) as single, watching_api(settings.kube) as long:
            cluster = Cluster(
                long,
                ways=Ways(secrets=single, may_exec=settings.kubeconfig_exec),
                namespaces=settings.only_namespaces,
                read=read,
            )
            health.add("cluster", cluster.not_ready)
            statuses = StatusObjects(
                single,
                clock=_utc_now,
                random=random.random,
                not_ready=health.not_ready,
                pace=pace,
            )
            steps = StepEvents(single, clock=_utc_now, instance=replica)
            yield _Ground(
                source=cluster,
                links=statuses,
                keys=keys or ClusterKeys(single),
                tell=steps.on_event,
                jobs=(statuses.run, steps.run),
            )
    elif settings.cluster_dir is not None:
        directory = Directory(settings.cluster_dir, reread_s=settings.reread_s, read=read)
        yield _Ground(source=directory, links=StatusFiles(directory.path_of), keys=keys)
    else:
        raise RuntimeError("settings without objects were let through")


def _hook(hints: Hints, settings: Settings, *, keys: HmacKeys, watching: Watching) -> PromotionHook:
    guard = Guard(
        keys=KeptKeys(keys, lookup_s=LOOKUP_S, clock=time.monotonic),
        signatures=Signatures(clock=time.time),
        rate=RateLimit(requests_max=settings.hook_requests_max, clock=time.monotonic),
        not_ready=watching.not_ready,
        proxies=settings.proxies,
    )
    return PromotionHook(hints, guard)


def _looks(keys: HmacKeys, watching: Watching) -> HookLooks:
    return HookLooks(
        keys,
        world=watching.world,
        problems=watching.hook_problems,
        look=watching.on_hint,
        clock=time.monotonic,
    )


async def _serve_webhooks(app: App, settings: Settings) -> None:
    listener = listen(settings.webhook_host, settings.webhook_port)
    if is_loopback(settings.webhook_host):
        app = LoopbackHosts(app)
    log.info("webhooks.serving", host=settings.webhook_host, port=listener.getsockname()[1])
    await serve_app(app, listener, connections_max=_CONNECTIONS_MAX)


def _utc_now() -> datetime:
    return datetime.now(UTC)
