"""Puts the service together and runs it; the only place that names concrete classes."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from countersign.checks.bus import check_own_bus
from countersign.checks.cluster import check_own_rights
from countersign.checks.starts import tried_at_start
from countersign.contracts.forge_list import ForgeList
from countersign.kube.access.http_api import cluster_api
from countersign.kube.flux.rules import read_object
from countersign.kube.watches.watching_api import watching_api
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.settings import BusSettings
from countersign.process.clocks import MACHINE
from countersign.process.configuration import read_document
from countersign.process.health import Health
from countersign.process.http.asgi import App
from countersign.process.http.listening import LoopbackHosts, listen
from countersign.process.http.listening import serve as serve_app
from countersign.process.http.loopback import is_loopback
from countersign.process.http.rates import RateLimit
from countersign.process.http.serving import serve_health
from countersign.process.setup import Telemetry
from countersign.process.tasks.background import in_background
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import at_scrape
from countersign.watcher.hints.endpoint import LOOKUP_S, Guard, PromotionHook
from countersign.watcher.hints.key_checks import KeyChecks
from countersign.watcher.hints.keys import ClusterKeys, FolderKeys, KeptKeys
from countersign.watcher.hints.reception import Hints
from countersign.watcher.hints.signatures import Signatures
from countersign.watcher.http import webhook_app
from countersign.watcher.interfaces import HmacKeys, LinkStore
from countersign.watcher.observation.observer import Observer
from countersign.watcher.observation.waiting import measure
from countersign.watcher.pulls.news import PullRequestNews
from countersign.watcher.pulls.sources import Address, Source
from countersign.watcher.reading.clusters import Clusters
from countersign.watcher.reading.directory import Directory
from countersign.watcher.reading.remote import Ways
from countersign.watcher.routes import Tell, follow_hints, follow_streams
from countersign.watcher.settings import Settings
from countersign.watcher.status.events import StepEvents
from countersign.watcher.status.files import StatusFiles
from countersign.watcher.status.objects import Pace, StatusObjects

log = get_logger()

SERVICE: Final = "watcher"
_CONNECTIONS_MAX: Final = 64
PACE: Final = Pace()

Sources = Mapping[Address, Source]


async def run(
    settings: Settings, bus_settings: BusSettings, telemetry: Telemetry, *, sources: Sources
) -> None:
    health = telemetry.health
    async with (
        serve_health(health, telemetry.settings),
        tried_at_start(
            partial(check_own_bus, bus_settings, service=SERVICE),
            partial(
                check_own_rights,
                settings.kube,
                service=SERVICE,
                namespaces=settings.only_namespaces,
            ),
        ),
        open_bus(bus_settings, service=SERVICE, health=health) as bus,
    ):
        await serve(settings, bus, health=health, sources=sources)


async def serve(
    settings: Settings, bus: Bus, *, health: Health, sources: Sources, pace: Pace = PACE
) -> None:
    """Run until cancelled."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(
            _ground(settings, health, replica=bus.replica, pace=pace)
        )
        observer = Observer(
            publisher=bus,
            links=ground.links,
            clocks=MACHINE,
            namespaces=settings.only_namespaces if settings.kube.in_use else frozenset(),
            board_url=bus.settings.public_url,
        )
        news = PullRequestNews(projection=observer.projection, publisher=bus, clock=MACHINE.wall)
        health.add("objects", observer.not_ready)
        hints = Hints(
            inventory=observer.inventory, projection=observer.projection, look=observer.on_hint
        )
        keys = ground.keys
        hook = _hook(hints, settings, keys=keys, observer=observer) if keys else None
        looks = _looks(keys, observer) if keys else None
        stack.enter_context(
            at_scrape(lambda: measure(observer.projection.promotions(), now=MACHINE.wall()))
        )
        async with asyncio.TaskGroup() as tasks:
            work: dict[str, Callable[[], Awaitable[None]]] = {
                "objects": partial(ground.source.follow, observer.on_changes),
                "streams": partial(
                    follow_streams,
                    bus,
                    observer=observer,
                    news=news,
                    origins=_origins(settings),
                    tell=ground.tell,
                ),
                "hints": partial(follow_hints, bus, hints, monotonic_s=MACHINE.monotonic),
                "observer": observer.run,
                **{f"status-{number}": job for number, job in enumerate(ground.jobs)},
            }
            if looks is not None:
                work["keys"] = partial(looks.run, MACHINE.sleep)
            if sources or hook:
                app = webhook_app(news=news, sources=sources, clock=time.time, hook=hook)
                work["webhooks"] = partial(_serve_webhooks, app, settings)
            for name, job in work.items():
                tasks.create_task(in_background(f"watcher-{name}", job, health=health))


def listed(settings: Settings) -> ForgeList | None:
    """Read the administrator's list of forges.

    Raises:
        Rejected: it cannot be understood.

    """
    return read_document(settings.forges_file, ForgeList) if settings.forges_file else None


def _origins(settings: Settings) -> frozenset[str] | None:
    forges = listed(settings)
    return None if forges is None else frozenset(forge.origin for forge in forges.forges)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """The sources of objects and keys, the memory beside them, and who is told of steps."""

    source: Clusters | Directory
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
            cluster = Clusters(
                long,
                ways=Ways(secrets=single, may_exec=settings.kubeconfig_exec),
                namespaces=settings.only_namespaces,
                read=read,
            )
            health.add("cluster", cluster.not_ready)
            statuses = StatusObjects(
                single,
                clocks=MACHINE,
                random=random.random,
                not_ready=health.not_ready,
                pace=pace,
            )
            steps = StepEvents(single, clock=MACHINE.wall, sleep=MACHINE.sleep, instance=replica)
            yield _Ground(
                source=cluster,
                links=statuses,
                keys=keys or ClusterKeys(single),
                tell=steps.on_event,
                jobs=(statuses.run, steps.run),
            )
    elif settings.cluster_dir is not None:
        directory = Directory(
            settings.cluster_dir,
            reread_s=settings.reread_s,
            read=read,
            monotonic_s=MACHINE.monotonic,
            sleep=MACHINE.sleep,
        )
        yield _Ground(source=directory, links=StatusFiles(directory.path_of), keys=keys)
    else:
        raise RuntimeError("settings without objects were let through")


def _hook(hints: Hints, settings: Settings, *, keys: HmacKeys, observer: Observer) -> PromotionHook:
    guard = Guard(
        keys=KeptKeys(keys, lookup_s=LOOKUP_S, clock=MACHINE.monotonic),
        signatures=Signatures(clock=time.time),
        rate=RateLimit(requests_max=settings.hook_requests_max, clock=MACHINE.monotonic),
        not_ready=observer.not_ready,
        clocks=MACHINE,
        proxies=settings.proxies,
    )
    return PromotionHook(hints, guard)


def _looks(keys: HmacKeys, observer: Observer) -> KeyChecks:
    return KeyChecks(
        keys,
        inventory=observer.inventory,
        problems=observer.key_findings,
        look=observer.on_hint,
        clock=MACHINE.monotonic,
    )


async def _serve_webhooks(app: App, settings: Settings) -> None:
    listener = listen(settings.webhook_host, settings.webhook_port)
    if is_loopback(settings.webhook_host):
        app = LoopbackHosts(app)
    log.info("webhooks.serving", host=settings.webhook_host, port=listener.getsockname()[1])
    await serve_app(app, listener, connections_max=_CONNECTIONS_MAX)
