"""Puts the service together and runs it; the only place that names concrete classes."""

import asyncio
import secrets
import time
from datetime import UTC, datetime
from functools import partial
from typing import Final

from countersign.checks.apart import check_forges_apart
from countersign.checks.bus import check_own_bus
from countersign.checks.starts import tried_at_start
from countersign.contracts.forge_list import ForgeList
from countersign.messaging.bus import Bus, Work, open_bus
from countersign.messaging.projections.follower import follow
from countersign.messaging.settings import BusSettings
from countersign.pr_writer.jobs.model import ClusterAddress, SecretSource
from countersign.pr_writer.parent.announcing import Announcer
from countersign.pr_writer.parent.dispatching import AccessBook, Dispatcher
from countersign.pr_writer.parent.executors import executor_pool
from countersign.pr_writer.parent.handling import Handling
from countersign.pr_writer.parent.looking import Looking
from countersign.pr_writer.parent.polling import Polling
from countersign.pr_writer.parent.projection import Projection
from countersign.pr_writer.parent.signing import SigningRedeemer, signing_key
from countersign.pr_writer.settings import Settings
from countersign.process.http.serving import serve_health
from countersign.process.processes import single_error
from countersign.process.setup import Telemetry
from countersign.process.tasks.background import in_background

SERVICE: Final = "pr-writer"
DURABLE: Final = "pr-writer-jobs"


async def run(
    settings: Settings,
    bus_settings: BusSettings,
    telemetry: Telemetry,
    *,
    forges: ForgeList,
) -> None:
    health = telemetry.health
    # The zygote comes first: what is not open yet cannot be inherited.
    async with (
        executor_pool(at_once=settings.executors) as pool,
        serve_health(health, telemetry.settings),
        tried_at_start(
            partial(check_own_bus, bus_settings, service=SERVICE),
            partial(check_forges_apart, forges),
        ),
        open_bus(bus_settings, service=SERVICE, health=health) as bus,
    ):
        health.add("zygote", pool.not_ready)
        projection = Projection(clock=_utc_now, monotonic=time.monotonic)
        announcer = Announcer(bus, clock=_utc_now)
        accesses = AccessBook(forges, secrets=_secrets(settings))
        dispatcher = Dispatcher(
            pool,
            redeemer=SigningRedeemer(
                bus,
                key=partial(signing_key, bus_settings.nkey_file),
                clock=_utc_now,
                random_bytes=secrets.token_bytes,
            ),
            announcer=announcer,
            monotonic=time.monotonic,
        )
        looking = Looking(
            projection,
            dispatcher=dispatcher,
            announcer=announcer,
            accesses=accesses,
            monotonic=time.monotonic,
        )
        handling = Handling(
            projection,
            dispatcher=dispatcher,
            announcer=announcer,
            looking=looking,
            accesses=accesses,
        )
        polling = Polling(
            projection,
            dispatcher=dispatcher,
            announcer=announcer,
            looking=looking,
            accesses=accesses,
        )
        caught_up = asyncio.Event()
        health.add("streams", lambda: None if caught_up.is_set() else "reading the past")
        with single_error():
            async with asyncio.TaskGroup() as tasks:
                keep = partial(pool.keep, sleep=asyncio.sleep)
                tasks.create_task(in_background("writer-zygote", keep, health=health))
                project = partial(_project, bus, projection, caught_up)
                tasks.create_task(in_background("writer-projection", project, health=health))
                await caught_up.wait()
                projection.is_live = True
                work = partial(_work, settings, bus, handling, polling)
                tasks.create_task(in_background("writer-work", work, health=health))


def _secrets(settings: Settings) -> SecretSource:
    """Tell executors, which lack the environment that an address inside a cluster comes from."""
    kube = settings.kube
    if not kube.in_use:
        return SecretSource(folder=str(settings.secrets_dir or ""))
    cluster = ClusterAddress(url=kube.address, account_dir=str(kube.account_dir))
    return SecretSource(cluster=cluster)


async def _project(bus: Bus, projection: Projection, caught_up: asyncio.Event) -> None:
    await follow(
        bus,
        streams=("PROMOTIONS", "PIPELINES"),
        apply=projection.apply,
        caught_up=caught_up,
        restarted=projection.restart,
    )


async def _work(settings: Settings, bus: Bus, handling: Handling, polling: Polling) -> None:
    work = Work(
        DURABLE,
        handling.on_work,
        at_once=settings.executors * 2,
        on_given_up=handling.on_given_up,
    )
    async with bus.serving(work=(work,)):
        await polling.run(
            every_s=settings.poll_interval_s, sleep=asyncio.sleep, monotonic=time.monotonic
        )


def _utc_now() -> datetime:
    return datetime.now(UTC)
