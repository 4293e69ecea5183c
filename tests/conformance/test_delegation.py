"""A promotion in a person's name, through the real approval service and pr-writer, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import nkeys
import pytest
from conformance.doubles import DOUBLES
from doubles.forge.asgi import ForgeApi
from doubles.forge.oauth import SmallOAuth
from doubles.forge.state import Repository, SmallForge
from doubles.local_forge import free_socket
from doubles.pr_writer_stage import FILES, MANIFEST

from countersign.approval import bootstrap as approval
from countersign.approval.settings import Settings as ApprovalSettings
from countersign.contracts import messages as m
from countersign.contracts.errors import Retryable
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.message import Message
from countersign.contracts.revision import parse_revision
from countersign.dialects.kinds import KINDS
from countersign.kube.access.http_api import KubeSettings
from countersign.kube.pipelines.strategies import destination
from countersign.local.forge.serving import Server
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.bus import Bus, Received, open_bus
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.projections.follower import follow
from countersign.messaging.topology.streams import DURABLES, STREAMS
from countersign.pr_writer import bootstrap as pr_writer
from countersign.pr_writer.parent.signing import signing_key
from countersign.pr_writer.settings import Settings as WriterSettings
from countersign.process.health import Health
from countersign.process.setup import Telemetry
from countersign.telemetry.settings import TelemetrySettings

DELEGATING = [name for name, double in DOUBLES.items() if double.oauth is not None]
KEEPING = [n for n, d in DOUBLES.items() if d.oauth is not None and d.oauth.keeps_first_scope]
CLIENT_ID, CLIENT_SECRET = "0e1f0000-made-up", "gto_of-nobody-made-up"
PUBLIC_URL = "http://127.0.0.1:8080"
ADA = m.Person(id="ada@example", name="Ada", groups=("developers",))
SESSION = "5" * 64
RELEASE = "clusters/prod/podinfo.yaml"
_Event = TypeVar("_Event", bound=Message)


@dataclass
class Site:
    """One forge, one bus, both services, and everybody else's voice."""

    api: ForgeApi
    oauth: SmallOAuth
    repository: Repository
    entry: Forge
    watcher: Bus
    gateway: Bus
    heard: list[Message] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, received: Received) -> None:
        self.heard.append(received.message)
        self.news.set()

    async def next(self, kind: type[_Event]) -> _Event:
        async with asyncio.timeout(30):
            while not (found := [e for e in self.heard if isinstance(e, kind)]):
                self.news.clear()
                await self.news.wait()
        return found[0]

    async def request(self) -> m.PromotionRequested:
        pipeline = m.PipelineRef(namespace="apps", name="podinfo", uid="u1", generation=1)
        event = m.PromotionRequested(
            promotion=m.PromotionRef(
                promotion_id="abcdefghijklmnop", pipeline=pipeline, environment="prod", attempt=1
            ),
            app=m.ObjectRef(kind="HelmRelease", name="podinfo"),
            from_environment="staging",
            content=m.Content(identity="6.9.0", revision=parse_revision("6.9.0")),
            current=parse_revision("6.8.0"),
            destination=destination(
                kind=self.entry.kind, url=f"{self.entry.origin}/acme/fleet.git", base_branch="main"
            ),
            marker_key="apps:podinfo:prod",
            mode=m.CredentialMode.DELEGATED,
            requested_at=datetime.now(UTC),
        )
        await self.watcher.publish(event, message_id="requested", create_once=True)
        return event

    async def consent(self, event: m.PromotionRequested) -> m.CompleteResponse:
        """Promote in the browser, which the forge sends back at once."""
        begin = m.BeginRequest(
            promotion_id=event.promotion.promotion_id, person=ADA, session=SESSION
        )
        begun = await self._once_somebody_answers(begin)
        assert begun.problem is None
        url = urlsplit(begun.authorize_url)
        assert f"{url.scheme}://{url.netloc}" == self.entry.origin
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        back = parse_qs(urlsplit(self.oauth.authorize(query, login="ada")).query)
        complete = m.CompleteRequest(
            replica=begun.replica,
            session=SESSION,
            person=ADA,
            code=back["code"][0],
            state=back["state"][0],
        )
        done = await self.gateway.request("approval.complete", complete, replica=begun.replica)
        assert isinstance(done, m.CompleteResponse)
        return done

    async def _once_somebody_answers(self, begin: m.BeginRequest) -> m.BeginResponse:
        async with asyncio.timeout(30):
            while True:
                try:
                    begun = await self.gateway.request("approval.begin", begin)
                except Retryable:
                    # Nobody tells that a service answers now.
                    await asyncio.sleep(0.05)
                else:
                    assert isinstance(begun, m.BeginResponse)
                    return begun


async def provision(server: LocalServer) -> None:
    state = ConnectionState("topology")
    client = await connect(server.settings("topology"), service="topology", state=state)
    await apply_topology(client, streams=STREAMS.values(), durables=DURABLES.values())
    await close(client, state)


@asynccontextmanager
async def serving(api: ForgeApi) -> AsyncIterator[str]:
    listener = free_socket()
    server = Server(api, signals=False)  # type: ignore[arg-type]
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    await server.serving.wait()
    try:
        yield f"http://localhost:{listener.getsockname()[1]}"
    finally:
        server.stop()
        await running
        listener.close()


def telemetry(service: str) -> Telemetry:
    return Telemetry(service=service, settings=TelemetrySettings())


@asynccontextmanager
async def both_services(
    server: LocalServer, forges: ForgeList, folder: Path
) -> AsyncIterator[None]:
    listed = folder / "forges.yaml"
    listed.write_text("forges: []")
    writer_bus = server.settings("pr-writer", replica="w1")
    key = signing_key(writer_bus.nkey_file)
    pair = nkeys.from_seed((server.keys_dir / "pr-writer.nk").read_bytes().strip())
    tasks = [
        asyncio.ensure_future(
            pr_writer.run(
                WriterSettings(forges_file=listed, secrets_dir=folder),
                writer_bus,
                telemetry("pr-writer"),
                forges=forges,
                key=key,
            )
        ),
        asyncio.ensure_future(
            approval.run(
                ApprovalSettings(
                    forges_file=listed,
                    public_url=PUBLIC_URL,
                    writer_nkeys=(pair.public_key.decode(),),
                ),
                server.settings("approval", replica="approval-0"),
                telemetry("approval"),
                forges=forges,
                kube=KubeSettings(),
            )
        ),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest.fixture(params=DELEGATING)
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    forge = SmallForge(request.param, clock=lambda: datetime.now(UTC))
    forge.person("ada")
    repository = forge.repository("acme/fleet", FILES, "ada")
    double = DOUBLES[request.param]
    assert double.oauth is not None
    oauth = double.oauth(forge, CLIENT_ID, CLIENT_SECRET)
    api = double.api(forge, oauth)
    secret = tmp_path / "client-secret"
    secret.write_text(CLIENT_SECRET)
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(serving(api))
        entry = Forge(
            name="Forge",
            kind=request.param,
            origin=origin,
            api=f"{origin}{double.api_path}",
            broad_tokens="accept",
            client_id=CLIENT_ID,
            client_secret_file=str(secret),
        )
        server = await stack.enter_async_context(local_server(tmp_path / "bus"))
        await provision(server)
        watcher, gateway = [
            await stack.enter_async_context(
                open_bus(server.settings(name), service=name, health=Health())
            )
            for name in ("watcher", "gateway")
        ]
        made = Site(api, oauth, repository, entry, watcher, gateway)
        following = asyncio.ensure_future(
            follow(gateway, streams=("PROMOTIONS", "TOKENS"), apply=made.hear)
        )
        await stack.enter_async_context(both_services(server, ForgeList(forges=(entry,)), tmp_path))
        yield made
        following.cancel()
        await asyncio.wait([following])


async def test_pull_request_is_opened_in_the_name_of_the_approver(site: Site) -> None:
    event = await site.request()

    done = await site.consent(event)
    assert done.problem is None, done.problem
    opened = await site.next(m.PullRequestOpened)
    revoked = await site.next(m.ApprovalRevoked)

    assert opened.author is not None
    assert opened.author.login == "ada"
    assert opened.files == (RELEASE,)
    (pull,) = site.repository.pulls.values()
    assert (pull.author, pull.state) == ("ada", "open")
    files = site.repository.git.commits[pull.commit].files
    assert files[RELEASE][1].decode() == (MANIFEST % "prod").replace("6.8.0", "6.9.0")
    dialect = KINDS[site.entry.forge_kind].oauth
    assert dialect is not None
    if dialect.revoke is None:
        assert revoked.outcome is m.RevocationOutcome.FORGOTTEN
    else:
        assert revoked.outcome is m.RevocationOutcome.REVOKED
        assert site.oauth.ended


async def test_delegated_token_is_the_only_one_that_the_forge_sees(site: Site) -> None:
    done = await site.consent(await site.request())
    assert done.problem is None
    await site.next(m.PullRequestOpened)

    (token,) = site.api.forge.tokens
    sent = {call.headers.get("authorization") for call in site.api.api_calls}
    assert sent == {f"Bearer {token}"}
    assert token.encode() not in b"".join(event.to_json() for event in site.heard)


@pytest.mark.parametrize("site", KEEPING, indirect=True)
@pytest.mark.parametrize("scope", ["", "read:user write:repository write:issue", "all"])
async def test_consent_that_was_given_for_more_before_is_refused(site: Site, scope: str) -> None:
    """A grant keeps the scope of the first consent there, whatever is asked for now."""
    site.oauth.grants["ada"] = scope

    done = await site.consent(await site.request())

    assert done.problem is not None
    assert done.problem.code == "token_too_strong"
    assert not site.repository.pulls
