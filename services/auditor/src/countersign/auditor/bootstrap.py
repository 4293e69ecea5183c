"""Puts the service together and runs it; the only place that names concrete classes."""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from countersign.auditor.checks.checking import Checker, Pace
from countersign.auditor.checks.inspecting import Inspector
from countersign.auditor.checks.marking import Marking
from countersign.auditor.checks.probing import ForgeProber
from countersign.auditor.checks.reporting import Reports, measure_credentials
from countersign.auditor.checks.restraint import Restraint
from countersign.auditor.checks.sharing import Sharing
from countersign.auditor.handlers import Handlers
from countersign.auditor.interfaces import Clock, Prober, Publisher, Secrets
from countersign.auditor.projection import Projection
from countersign.auditor.routes import answers
from countersign.auditor.schedule import News, Schedule
from countersign.auditor.secrets.api_secrets import ApiSecrets
from countersign.auditor.secrets.mounts import MountedSecrets
from countersign.auditor.settings import Settings
from countersign.checks.bus import check_own_bus
from countersign.checks.forges import check_forge
from countersign.checks.starts import tried_at_start
from countersign.contracts.forge_list import ForgeList
from countersign.forges.http import ForgeHttp
from countersign.forges.recording import record_call
from countersign.kube.access.http_api import cluster_api
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.projections.follower import follow
from countersign.messaging.settings import BusSettings
from countersign.process.http.serving import serve_health
from countersign.process.setup import Telemetry
from countersign.process.tasks.background import in_background
from countersign.telemetry.metrics import at_scrape

SERVICE: Final = "auditor"
STREAMS: Final = ("PIPELINES", "TOKENS")
_MARK_KEY_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The service put together, before it runs."""

    projection: Projection
    schedule: Schedule
    handlers: Handlers


@asynccontextmanager
async def stored_secrets(settings: Settings) -> AsyncIterator[Secrets]:
    """Yield the Secrets of the cluster, or else of the folder."""
    mark = Marking(secrets.token_bytes(_MARK_KEY_BYTES))
    if settings.kube.in_use:
        async with cluster_api(settings.kube) as api:
            yield ApiSecrets(api, mark=mark, monotonic_s=time.monotonic)
    else:
        yield MountedSecrets(settings.secrets_dir or Path(), mark=mark)


def assemble(
    settings: Settings,
    *,
    forges: ForgeList,
    publisher: Publisher,
    prober: Prober,
    stored: Secrets,
) -> Parts:
    projection, news = Projection(), News()
    now: Clock = _utc_now
    checker = Checker(
        projection=projection,
        secrets=stored,
        forges=forges,
        inspector=Inspector(prober, projection=projection),
        sharing=Sharing(),
        reports=Reports(publisher, projection=projection, now=now),
        pace=Pace(interval=settings.check_interval, jitter=random.SystemRandom().random),
        now=now,
        news=news,
    )
    schedule = Schedule(checker, projection=projection, secrets=stored, news=news, now=now)
    return Parts(
        projection=projection,
        schedule=schedule,
        handlers=Handlers(projection, wake=news),
    )


async def run(
    settings: Settings, bus_settings: BusSettings, telemetry: Telemetry, *, forges: ForgeList
) -> None:
    caught_up, answering = asyncio.Event(), asyncio.Event()
    telemetry.health.add("streams", lambda: None if caught_up.is_set() else "reading the past")
    telemetry.health.add("answers", lambda: None if answering.is_set() else "not answering yet")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve_health(telemetry.health, telemetry.settings))
        await stack.enter_async_context(
            tried_at_start(
                partial(check_own_bus, bus_settings, service=SERVICE),
                *(partial(check_forge, forge, now=_utc_now) for forge in forges.forges),
            )
        )
        clients = {
            forge.origin: await stack.enter_async_context(ForgeHttp(forge, observe=record_call))
            for forge in forges.forges
        }
        bus = await stack.enter_async_context(
            open_bus(bus_settings, service=SERVICE, health=telemetry.health)
        )
        parts = assemble(
            settings,
            forges=forges,
            publisher=bus,
            prober=ForgeProber(
                clients,
                restraint=Restraint(share=settings.rate_share, jitter=random.SystemRandom().random),
                now=_utc_now,
            ),
            stored=await stack.enter_async_context(stored_secrets(settings)),
        )
        stack.enter_context(
            at_scrape(lambda: measure_credentials(parts.projection, now=_utc_now()))
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(
                in_background(
                    "auditor-schedule",
                    partial(parts.schedule.run, answering),
                    health=telemetry.health,
                )
            )
            group.create_task(
                in_background(
                    "auditor-answers",
                    partial(_answer, bus, parts.schedule, caught_up, answering),
                    health=telemetry.health,
                )
            )
            await follow(
                bus,
                streams=STREAMS,
                apply=parts.handlers.on_event,
                caught_up=caught_up,
                restarted=parts.handlers.on_restarted,
            )


async def _answer(
    bus: Bus, schedule: Schedule, caught_up: asyncio.Event, answering: asyncio.Event
) -> None:
    """Answer requests, once it is known what there is to ask about.

    Whoever reads the first check may ask for another: the schedule waits for `answering`.
    """
    await caught_up.wait()
    async with bus.serving(answers=answers(schedule), work=()):
        answering.set()
        await asyncio.Event().wait()


def _utc_now() -> datetime:
    return datetime.now(UTC)
