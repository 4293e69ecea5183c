"""Puts the service together and runs it; the only place that names concrete classes."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from countersign.contracts.forge_list import ForgeList
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.projections.follower import follow
from countersign.messaging.settings import BusSettings
from countersign.pr_writer.jobs.model import ClusterAddress
from countersign.pr_writer.parent.announcing import Telling
from countersign.pr_writer.parent.executors import executor_pool
from countersign.pr_writer.parent.handling import Handling
from countersign.pr_writer.parent.polling import Following
from countersign.pr_writer.parent.projection import Board
from countersign.pr_writer.parent.routes import work
from countersign.pr_writer.parent.signing import SigningRedeemer
from countersign.pr_writer.parent.world import World
from countersign.pr_writer.settings import Settings
from countersign.process.processes import single_error
from countersign.process.serving import serve_health
from countersign.process.setup import Telemetry

SERVICE: Final = "pr-writer"


async def run(
    settings: Settings,
    bus_settings: BusSettings,
    telemetry: Telemetry,
    *,
    forges: ForgeList,
    key: Ed25519PrivateKey,
) -> None:
    health = telemetry.health
    # The zygote comes first: what is not open yet cannot be inherited.
    async with (
        executor_pool(at_once=settings.executors) as pool,
        serve_health(health, telemetry.settings),
        open_bus(bus_settings, service=SERVICE, health=health) as bus,
    ):
        health.add("zygote", pool.not_ready)
        world = World(
            board=Board(),
            executors=pool,
            redeemer=SigningRedeemer(bus, key=key, clock=_utc_now),
            telling=Telling(bus, clock=_utc_now),
            forges=forges,
            cluster=_cluster(settings),
            secrets_dir=str(settings.secrets_dir or ""),
        )
        caught_up = asyncio.Event()
        health.add("streams", lambda: None if caught_up.is_set() else "reading the past")
        with single_error():
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_project(bus, world.board, caught_up))
                tasks.create_task(_work(settings, bus, world, caught_up=caught_up))


def _cluster(settings: Settings) -> ClusterAddress | None:
    """For executors, which have not the environment that an address inside a cluster comes from."""
    kube = settings.kube
    if not kube.in_use:
        return None
    return ClusterAddress(url=kube.address, account_dir=str(kube.account_dir))


async def _project(bus: Bus, board: Board, caught_up: asyncio.Event) -> None:
    await follow(
        bus,
        streams=("PROMOTIONS",),
        apply=board.apply,
        caught_up=caught_up,
        restarted=lambda _: board.restart(),
    )


async def _work(settings: Settings, bus: Bus, world: World, *, caught_up: asyncio.Event) -> None:
    await caught_up.wait()
    async with bus.serving(work=work(Handling(world), at_once=settings.executors * 2)):
        await Following(world).run(every_s=settings.poll_interval_s)


def _utc_now() -> datetime:
    return datetime.now(UTC)
