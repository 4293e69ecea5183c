"""Puts the service together and runs it; the only place that names concrete classes."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from countersign.approval import routes
from countersign.approval.assembly import Dice, Neighbours, Permissions, Service, build
from countersign.approval.consent.rights import ByAccessReview, EverybodySignedIn
from countersign.approval.delegation.signatures import Writers, writers_in
from countersign.approval.feed import read_news
from countersign.approval.interfaces import (
    Application,
    Applications,
    Authorizer,
)
from countersign.approval.replicas import BusReplicas
from countersign.approval.settings import Settings
from countersign.checks.bus import check_own_bus
from countersign.checks.cluster import check_own_rights
from countersign.checks.forges import check_forge
from countersign.checks.starts import tried_at_start
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.oauth import Challenge, Registration
from countersign.dialects.kinds import kind_of, refuse_unknown_options
from countersign.forges.http import ForgeHttp
from countersign.forges.oauth import OAuthClient
from countersign.forges.recording import record_call
from countersign.kube.access.http_api import KubeSettings, cluster_api
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.settings import BusSettings
from countersign.process.clocks import MACHINE
from countersign.process.health import Health
from countersign.process.http.serving import serve_health
from countersign.process.secret_files import read_secret
from countersign.process.setup import Telemetry
from countersign.process.tasks.background import in_background
from countersign.telemetry.logs import get_logger

log = get_logger()

SERVICE = "approval"


async def run(
    settings: Settings,
    bus_settings: BusSettings,
    telemetry: Telemetry,
    *,
    forges: ForgeList,
    kube: KubeSettings,
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve_health(telemetry.health, telemetry.settings))
        await stack.enter_async_context(
            tried_at_start(
                partial(check_own_bus, bus_settings, service=SERVICE),
                partial(check_own_rights, kube, service=SERVICE),
                *(
                    partial(check_forge, forge, now=MACHINE.wall, public_url=settings.public_url)
                    for forge in forges.forges
                    if forge.client_id
                ),
            )
        )
        applications = await stack.enter_async_context(register(settings, forges.forges))
        bus = await stack.enter_async_context(
            open_bus(bus_settings, service=SERVICE, health=telemetry.health)
        )
        service = build(
            applications=applications,
            neighbours=Neighbours(
                replica=bus_settings.replica, publisher=bus, replicas=BusReplicas(bus)
            ),
            permissions=Permissions(
                authorizer=await stack.enter_async_context(authorizing(kube)),
                writers=Writers(partial(writers_in, settings.writer_nkeys_file)),
            ),
            clocks=MACHINE,
            dice=Dice(text=secrets.token_urlsafe, hexadecimal=secrets.token_hex),
        )
        await serve(service, bus, telemetry.health)


async def serve(service: Service, bus: Bus, health: Health) -> None:
    """Serve until cancelled; then nothing that was delegated is left alive."""
    caught_up = service.caught_up
    health.add("streams", lambda: None if caught_up.is_set() else "reading the past")
    async with asyncio.TaskGroup() as workers:
        # Outside of all that may fail: whatever ends the rest, tokens are still revoked.
        revoking = workers.create_task(
            in_background("approval-revocations", service.revocations.run, health=health)
        )
        try:
            await _work(service, bus, health)
        finally:
            await service.endings.shut_down()
            revoking.cancel()


async def _work(service: Service, bus: Bus, health: Health) -> None:
    caught_up = service.caught_up
    async with asyncio.TaskGroup() as tasks:
        news = partial(read_news, bus, reactions=service.reactions, caught_up=caught_up)
        tasks.create_task(in_background("approval-news", news, health=health))
        await caught_up.wait()
        await service.schedule.lose_own()
        tasks.create_task(in_background("approval-schedule", service.schedule.run, health=health))
        devices = in_background("approval-devices", service.devices.run, health=health)
        tasks.create_task(devices)
        try:
            async with bus.serving(answers=routes.answers(service.handlers), work=()):
                await asyncio.Event().wait()
        finally:
            await service.endings.await_outcomes()


@asynccontextmanager
async def register(settings: Settings, forges: tuple[Forge, ...]) -> AsyncIterator[Applications]:
    """One client for each forge that has an application of ours."""
    async with AsyncExitStack() as stack:
        registered = []
        for forge in forges:
            if not forge.client_id:
                continue
            http = await stack.enter_async_context(ForgeHttp(forge, observe=record_call))
            registration = _registration(forge, public_url=settings.public_url)
            oauth = OAuthClient(http, registration, now=MACHINE.wall)
            registered.append(Application(forge=forge, oauth=oauth))
        yield Applications(listed=forges, registered=tuple(registered))


@asynccontextmanager
async def authorizing(kube: KubeSettings) -> AsyncIterator[Authorizer]:
    """Asks the cluster, if there is one."""
    if not kube.in_use:
        yield EverybodySignedIn()
        return
    async with cluster_api(kube) as api:
        yield ByAccessReview(api, monotonic_s=MACHINE.monotonic)


def check_entries(forges: tuple[Forge, ...]) -> None:
    """Find at the start what would otherwise fail at the first consent."""
    for forge in forges:
        refuse_unknown_options(forge)
        if forge.client_id:
            _client_secret(forge)
            _refuse_nowhere(forge)


def _refuse_nowhere(forge: Forge) -> None:
    """Refuse an entry that does not say where people sign in, at a kind that asks for it."""
    nobody = Challenge(state="", code_challenge="")
    kind_of(forge).oauth.authorize_url(_registration(forge, public_url=""), nobody)


def _registration(forge: Forge, *, public_url: str) -> Registration:
    return Registration(
        forge=forge,
        client_id=forge.client_id,
        # It may be replaced while we run, so it is read each time.
        secret=partial(_client_secret, forge),
        redirect_uri=f"{public_url}/oauth/callback/{forge.slug}",
    )


def _client_secret(forge: Forge) -> Secret:
    return read_secret(Path(forge.client_secret_file), reason=ConsentRefusal.NO_CLIENT)
