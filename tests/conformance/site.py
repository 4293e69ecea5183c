"""One forge of any kind, a bus, and the real services that a promotion passes, over HTTP.

The test is everybody else: the person in front of the board, the browser, Flux, who merges.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx2
import nkeys
from conformance.doubles import DOUBLES
from doubles.forge.asgi import ForgeApi
from doubles.forge.oauth import SmallOAuth
from doubles.forge.served import served
from doubles.forge.state import Pull, Repository, SmallForge
from doubles.streams import provision
from doubles.watched import pipeline_manifest, release, write
from doubles.webhook_senders import BRANCH, COMMIT, SENDERS, Sender, signing_token

from countersign.approval import bootstrap as approval
from countersign.approval.settings import Settings as ApprovalSettings
from countersign.contracts import messages as m
from countersign.contracts.errors import Retryable
from countersign.contracts.forge_list import KIND_BY_NAME, Forge, ForgeList
from countersign.contracts.message import Message
from countersign.contracts.pull_request_names import PullRequestNames
from countersign.dialects.kinds import KINDS
from countersign.kube.access.http_api import KubeSettings
from countersign.local.demo.layout import free_port
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.bus import Bus, Received, open_bus
from countersign.messaging.projections.follower import follow
from countersign.pr_writer import bootstrap as pr_writer
from countersign.pr_writer.settings import Settings as WriterSettings
from countersign.process.health import Health
from countersign.process.setup import Telemetry
from countersign.telemetry.settings import TelemetrySettings
from countersign.watcher import bootstrap as watcher
from countersign.watcher.pulls.sources import read_sources
from countersign.watcher.settings import Settings as WatcherSettings

CLIENT_ID, CLIENT_SECRET = "0e1f0000-made-up", "gto_of-nobody-made-up"
PUBLIC_URL = "http://127.0.0.1:8080"
ADA = m.Person(id="ada@example", name="Ada", groups=("developers",))
SESSION = "5" * 64
NAMESPACE, SECRET = "shop", "bot-token"
DELEGATED, STORED = "checkout", "catalog"
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: podinfo}
spec:
  chart:
    spec:
      version: 6.8.4 # {"$promotion": "shop:%s:prod"}
"""
FILES = {
    "README.md": "# fleet\n",
    **{f"apps/{name}/prod.yaml": RELEASE % name for name in (DELEGATED, STORED)},
}
WAIT_S = 30
_Event = TypeVar("_Event", bound=Message)


@dataclass
class Site:
    """All that runs, and what the streams told."""

    api: ForgeApi
    oauth: SmallOAuth
    repository: Repository
    entry: Forge
    sender: Sender
    gateway: Bus
    cluster_dir: Path
    webhook_url: str
    heard: list[Message] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, received: Received) -> None:
        self.heard.append(received.message)
        self.news.set()

    async def next(self, kind: type[_Event], pipeline: str = DELEGATED) -> _Event:
        """Wait for the event of that pipeline."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for event in self.heard:
                    if isinstance(event, kind) and _pipeline_of(event) == pipeline:
                        return event
                self.news.clear()
                await self.news.wait()

    def pull_of(self, pipeline: str) -> Pull:
        (found,) = (p for p in self.repository.pulls.values() if f"/{pipeline}/" in p.head)
        return found

    def lay(self, *pipelines: str, auto_merge: bool | None = None) -> None:
        """Let dev run something newer than prod, in these pipelines."""
        self.run("prod", "6.8.4")
        for name in pipelines:
            ask: dict[str, Any] = {
                "type": self.entry.kind,
                "url": f"{self.entry.origin}{DOUBLES[self.entry.kind].clone_path}",
            }
            if name == STORED:
                ask["secretRef"] = {"name": SECRET}
            manifest = pipeline_manifest("dev", "prod", ask=ask)
            if auto_merge is not None:
                manifest["spec"]["promotion"]["autoMerge"] = auto_merge
            manifest["metadata"] |= {"name": name, "uid": f"uid-{name}"}
            write(self.cluster_dir / "pipelines" / f"{name}.yaml", manifest)
        self.run("dev", "6.9.0")

    def run(self, environment: str, version: str) -> None:
        write(self.cluster_dir / environment / "podinfo.yaml", release(environment, version))

    async def consent(self, event: m.PromotionRequested) -> m.CompleteResponse:
        """Promote in the browser, which the forge sends back at once."""
        begin = m.BeginRequest(
            promotion_id=event.promotion.promotion_id, person=ADA, session=SESSION
        )
        begun = await self._once_somebody_answers(begin)
        assert begun.problem is None, begun.problem
        url = urlsplit(begun.authorize_url)
        assert f"{url.scheme}://{url.netloc}{url.path}" == (
            f"{self.entry.origin}{self.oauth.authorize_path}"
        )
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
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    begun = await self.gateway.request("approval.begin", begin)
                except Retryable:
                    begun = None
                assert isinstance(begun, m.BeginResponse | None)
                unheard = begun and begun.problem and begun.problem.code == "unknown_promotion"
                if begun is not None and not unheard:
                    return begun
                # Nobody tells that a service answers now, or has heard of the promotion.
                await asyncio.sleep(0.05)

    async def merge(self, pull: Pull, *, webhook: bool) -> None:
        """Have somebody merge it; the forge tells that only where there is a webhook."""
        self.api.forge.merge(self.repository, pull.number, by="grace")
        if not webhook:
            return
        headers, payload = self.sender.write(merged=True)
        body = json.dumps(_of_ours(payload, self._names(pull))).encode()
        proof = self.sender.prove(body, self.sender.secret)
        if self.sender.prove is signing_token:
            now_s = int(datetime.now(UTC).timestamp())
            proof = signing_token(body, self.sender.secret, now_s=now_s)
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            sent = {**headers, **proof, "content-type": "application/json"}
            answer = await client.post(self.webhook_url, content=body, headers=sent)
        assert answer.status_code < 300, answer.text

    def _names(self, pull: Pull) -> dict[Any, Any]:
        """What stands in a sender's example, and what it is here."""
        repository_id = self.api.repository_id(self.repository)
        told = self.sender.repository_id
        return {
            told: repository_id,
            **({int(told): int(repository_id)} if told.isdigit() else {}),
            7: pull.number,
            BRANCH: pull.head,
            f"refs/heads/{BRANCH}": f"refs/heads/{pull.head}",
            COMMIT: pull.merge_commit,
        }


def _pipeline_of(event: Any) -> str:
    promotion = getattr(event, "promotion", None)
    return promotion.pipeline.name if promotion is not None else ""


def _of_ours(node: Any, names: dict[Any, Any]) -> Any:
    if isinstance(node, dict):
        return {key: _of_ours(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_of_ours(value, names) for value in node]
    return names.get(node, node) if type(node) in {str, int} else node


def _telemetry(service: str) -> Telemetry:
    return Telemetry(service=service, settings=TelemetrySettings())


@asynccontextmanager
async def _services(
    server: LocalServer, forges: ForgeList, folder: Path, *, webhook_port: int
) -> AsyncIterator[None]:
    listed = folder / "forges.yaml"
    listed.write_text("forges: []")
    writer_bus = server.settings("pr-writer", replica="w1")
    pair = nkeys.from_seed((server.keys_dir / "pr-writer.nk").read_bytes().strip())
    writers = folder / "writer-nkeys"
    writers.write_bytes(pair.public_key)
    tasks = [
        asyncio.ensure_future(
            pr_writer.run(
                WriterSettings(
                    forges_file=listed, secrets_dir=folder / "secrets", poll_interval_s=1
                ),
                writer_bus,
                _telemetry("pr-writer"),
                forges=forges,
            )
        ),
        asyncio.ensure_future(
            approval.run(
                ApprovalSettings(
                    forges_file=listed,
                    public_url=PUBLIC_URL,
                    writer_nkeys_file=writers,
                ),
                server.settings("approval", replica="approval-0"),
                _telemetry("approval"),
                forges=forges,
                kube=KubeSettings(),
            )
        ),
        asyncio.ensure_future(
            watcher.run(
                WatcherSettings(
                    forges_file=listed,
                    cluster_dir=folder / "cluster",
                    webhook_port=webhook_port,
                    reread_s=0.5,
                ),
                server.settings("watcher", replica="watcher-0"),
                _telemetry("watcher"),
                sources=read_sources(forges.forges),
            )
        ),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def site_of(kind: str, folder: Path, *, labels: tuple[str, ...] = ()) -> AsyncIterator[Site]:
    """Start all of it, with nothing yet in the cluster."""
    double = DOUBLES[kind]
    assert double.oauth is not None
    forge = SmallForge(kind, clock=lambda: datetime.now(UTC))
    repository = forge.repository("acme/fleet", FILES, "ada", "bot", "grace")
    oauth = double.oauth(forge, CLIENT_ID, CLIENT_SECRET)
    api = double.api(forge, oauth)
    sender = next(s for s in SENDERS if s.kind == kind)
    for name in ("cluster", f"secrets/{NAMESPACE}/{SECRET}"):
        (folder / name).mkdir(parents=True)
    written = {
        "client-secret": CLIENT_SECRET,
        "webhook-secret": sender.secret,
        f"secrets/{NAMESPACE}/{SECRET}/token": forge.token(
            "bot", *double.scopes, *double.commenting
        ),
    }
    for name, text in written.items():
        (folder / name).write_text(text)
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(served(api))
        entry = Forge(
            name="Forge",
            kind=kind,
            origin=origin,
            api=f"{origin}{double.api_path}",
            sign_in=f"{origin}{double.sign_in_path}" if double.sign_in_path else "",
            broad_tokens="accept",
            client_id=CLIENT_ID,
            client_secret_file=str(folder / "client-secret"),
            webhook_secret_file=str(folder / "webhook-secret"),
            repositories={NAMESPACE: ("acme/fleet",)},
            pull_requests=PullRequestNames(
                labels=labels,
                auto_merge="allowed"
                if KINDS[KIND_BY_NAME[kind]].capabilities.auto_merges
                else "never",
            ),
        )
        server = await stack.enter_async_context(local_server(folder / "bus"))
        await provision(server)
        gateway = await stack.enter_async_context(
            open_bus(server.settings("gateway"), service="gateway", health=Health())
        )
        port = free_port()
        made = Site(
            api=api,
            oauth=oauth,
            repository=repository,
            entry=entry,
            sender=sender,
            gateway=gateway,
            cluster_dir=folder / "cluster",
            webhook_url=f"http://127.0.0.1:{port}/webhooks/{entry.slug}",
        )
        following = asyncio.ensure_future(
            follow(gateway, streams=("PROMOTIONS", "TOKENS"), apply=made.hear)
        )
        forges = ForgeList(forges=(entry,))
        await stack.enter_async_context(_services(server, forges, folder, webhook_port=port))
        yield made
        following.cancel()
        await asyncio.wait([following])
