"""Puts the gateway together: the only module that names concrete classes."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from countersign.checks.addresses import check_addresses
from countersign.checks.bus import check_own_bus
from countersign.checks.cluster import check_own_rights
from countersign.checks.model import Finding
from countersign.checks.provider import check_provider
from countersign.checks.starts import Check, tried_at_start
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import ForgeList
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.access.cluster_access import ClusterAccess
from countersign.gateway.access.holdings import ClusterReviewer, LocalReviewer
from countersign.gateway.access.people import LocalAccess, LocalSignIn, NoLocalSignIn, read_people
from countersign.gateway.access.sessions import Sessions
from countersign.gateway.access.strangers import Strangers
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.approval_client import ApprovalClient
from countersign.gateway.auditor_client import AuditorClient
from countersign.gateway.html.documents import read_documents
from countersign.gateway.html.static_files import read_static_files
from countersign.gateway.html.templates import Templates
from countersign.gateway.interfaces import Access, Provider, Reviewer, SignIn
from countersign.gateway.live.feed import BusFeed
from countersign.gateway.live.hub import Hub
from countersign.gateway.live.late_bus import SERVICE, LateBus
from countersign.gateway.oidc.attempts import Attempts
from countersign.gateway.oidc.claims import ClaimRules
from countersign.gateway.oidc.code_flow import CALLBACK_PATH, OidcSignIn, Registration
from countersign.gateway.oidc.provider import Provider as OidcProvider
from countersign.gateway.oidc.settings import OidcSettings
from countersign.gateway.oidc.transport import transport
from countersign.gateway.refusals import Refusal
from countersign.gateway.routes import Site, application
from countersign.gateway.schedule import recheck_rights
from countersign.gateway.settings import GatewaySettings
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.text.viewers import parse_viewers
from countersign.gateway.view.projection import STREAMS, Projection
from countersign.gateway.web.address import Address
from countersign.gateway.web.frames import Screen
from countersign.kube.access.http_api import KubeSettings, cluster_api
from countersign.messaging.bus import Bus
from countersign.messaging.projections.follower import follow
from countersign.messaging.settings import BusSettings
from countersign.process.configuration import read_document
from countersign.process.http.listening import listen, serve
from countersign.process.http.rates import RateLimit, networks_in
from countersign.process.http.serving import serve_health
from countersign.process.processes import single_error
from countersign.process.setup import Telemetry
from countersign.process.tasks.background import in_background
from countersign.telemetry.logs import get_logger

log = get_logger()

CONNECTIONS_MAX: Final = 4_096


def now() -> datetime:
    return datetime.now(UTC)


def public_url(settings: GatewaySettings, listener: socket.socket) -> str:
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All that is said from outside."""

    gateway: GatewaySettings
    bus: BusSettings
    kube: KubeSettings
    oidc: OidcSettings | None = None

    def check(self) -> None:
        """Refuse settings that would let everybody promote.

        Raises:
            Rejected: `no_cluster`; without one, everybody who can sign in could promote.

        """
        if not self.kube.in_use and not self.gateway.is_local:
            raise Rejected(
                Refusal.NO_CLUSTER,
                "only a cluster says who may see and promote what: set COUNTERSIGN_KUBE_URL, or "
                "serve this machine alone",
            )

    def forges(self) -> ForgeList:
        """Read the administrator's list, where there is one.

        Raises:
            Rejected: it cannot be understood.

        """
        listed = self.gateway.forges_file
        return read_document(listed, ForgeList) if listed else ForgeList()


def _strangers(settings: GatewaySettings) -> Strangers:
    rate = RateLimit(requests_max=settings.sign_in_requests_max, clock=time.monotonic)
    return Strangers(rate=rate, proxies=networks_in(settings.proxies))


@asynccontextmanager
async def access_of(
    kube: KubeSettings, settings: GatewaySettings
) -> AsyncIterator[tuple[Access, Reviewer]]:
    """Yield the rights as the cluster grants them, or the local ones where there is no cluster."""
    if not kube.in_use:
        people = read_people(settings.people_file) if settings.sign_in == "local" else ()
        yield LocalAccess(), LocalReviewer(people)
        return
    groups = [name for part in settings.review_groups.split(",") if (name := part.strip())]
    async with cluster_api(kube) as api:
        yield (
            ClusterAccess(api, elapsed=time.monotonic),
            ClusterReviewer(api, groups=groups),
        )


@asynccontextmanager
async def entrance_of(
    configuration: Configuration,
) -> AsyncIterator[tuple[SignIn, Provider | None]]:
    """Yield the way to sign in: choosing from a file, or going to a provider."""
    oidc, settings = configuration.oidc, configuration.gateway
    if oidc is None:
        yield LocalSignIn(read_people(settings.people_file)), None
        return
    here = settings.public_url.rstrip("/")
    registration = Registration(
        client_id=oidc.client_id,
        secret_file=oidc.client_secret_file,
        scopes=oidc.scopes,
        redirect_uri=here + CALLBACK_PATH,
        farewell_uri=f"{here}/sign-in",
        logout=oidc.logout,
    )
    rules = ClaimRules(
        username_claim=oidc.username_claim,
        username_prefix=oidc.user_prefix,
        groups_claim=oidc.groups_claim,
        groups_prefix=oidc.group_prefix,
        required=oidc.required_claims,
    )
    async with transport(oidc.ca_file) as http:
        provider = OidcProvider(http, issuer=oidc.issuer_url, elapsed=time.monotonic)
        attempts = Attempts(elapsed=time.monotonic, dice=secrets.token_bytes)
        sign_in = OidcSignIn(provider, registration, rules, attempts=attempts, now=time.time)
        yield NoLocalSignIn(), sign_in


def needs_of(configuration: Configuration, forges: ForgeList, *, url: str) -> Iterator[Check]:
    """Yield what is to be tried: addresses, the bus, our rights, the provider."""

    async def addresses() -> AsyncIterator[Finding]:
        for finding in check_addresses(url, forges.forges):
            yield finding

    yield addresses
    yield partial(check_own_bus, configuration.bus, service=SERVICE)
    yield partial(check_own_rights, configuration.kube, service=SERVICE)
    if (oidc := configuration.oidc) is not None:
        yield partial(check_provider, oidc.issuer_url, oidc.ca_file, now=now)


async def run(configuration: Configuration, told: Telemetry) -> None:
    """Serve until cancelled.

    Raises:
        Rejected: `no_cluster`, and what is wrong with files and addresses that are named.

    """
    configuration.check()
    async with (
        access_of(configuration.kube, configuration.gateway) as rights,
        entrance_of(configuration) as entrance,
    ):
        await _run(configuration, rights, entrance, told)


async def _run(
    configuration: Configuration,
    rights: tuple[Access, Reviewer],
    entrance: tuple[SignIn, Provider | None],
    told: Telemetry,
) -> None:
    settings = configuration.gateway
    sign_in, provider = entrance
    access, reviewer = rights
    forges = configuration.forges()
    links = ForgeLinks(forges)
    listener = listen(settings.host, settings.port)
    static = read_static_files()
    templates = Templates(
        clock=now,
        dice=secrets.token_bytes,
        static=static,
        links=links,
        viewers=parse_viewers(trace=settings.trace_link, objects=settings.object_links),
    )
    projection = Projection(links=links, kept_max=settings.kept_promotions)
    hub = Hub(projection=projection, templates=templates, access=access, pause=asyncio.sleep)
    health = told.health
    sessions = Sessions(clock=now, dice=secrets.token_bytes, key=settings.session_key)
    feed = BusFeed(projection=projection, hub=hub, sessions=sessions, clock=now, health=health)
    told.health.add("feed", feed.not_ready)
    bus = LateBus()
    visibility = Visibility(projection, access)
    site = Site(
        address=Address(public_url(settings, listener)),
        accounts=Accounts(
            sessions=sessions, strangers=_strangers(settings), sign_in=sign_in, provider=provider
        ),
        visibility=visibility,
        screen=Screen(templates=templates, projection=projection, feed=feed),
        hub=hub,
        approval=ApprovalClient(bus),
        auditor=AuditorClient(bus),
        reviewer=reviewer,
        links=links,
    )
    app = application(site, static, read_documents())

    async def read(connected: Bus) -> None:
        await follow(
            connected,
            streams=STREAMS,
            apply=feed.apply,
            caught_up=feed.caught_up,
            restarted=feed.restarted,
        )

    with single_error():
        async with (
            serve_health(told.health, told.settings),
            tried_at_start(*needs_of(configuration, forges, url=site.address.url)),
            asyncio.TaskGroup() as tasks,
        ):
            work: dict[str, Callable[[], Awaitable[None]]] = {
                "hub": hub.run,
                "feed": partial(feed.watch, bus, pause=asyncio.sleep),
                "rights": partial(recheck_rights, visibility, hub, pause=asyncio.sleep),
                "bus": partial(bus.run, configuration.bus, health=told.health, use=read),
                "pages": partial(
                    serve, app, listener, connections_max=CONNECTIONS_MAX, on_stop=hub.close
                ),
            }
            for name, job in work.items():
                tasks.create_task(in_background(f"gateway-{name}", job, health=told.health))
            log.info("gateway.serving", url=site.address.url)
