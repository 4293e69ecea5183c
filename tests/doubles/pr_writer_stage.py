"""A forge and executors; for the whole service also a bus, and who else speaks on it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from doubles.local_forge import RunningForge, running_forge
from doubles.streams import provision

from countersign.contracts.consent.redemption import hpke_info
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.identity import consent_digest
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalGranted,
    Content,
    CredentialMode,
    ForgeUser,
    ObjectRef,
    Person,
    PipelineRef,
    Problem,
    PromotionRef,
    PromotionRequested,
    RedeemRequest,
    RedeemResponse,
    SecretRef,
)
from countersign.contracts.promotion import Promotion, State
from countersign.contracts.pull_request_names import PullRequestNames
from countersign.contracts.revision import parse_revision
from countersign.contracts.secret import Secret
from countersign.kube.access.http_api import KubeSettings
from countersign.kube.pipelines.strategies import destination
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.bus import Answer, Bus, Call, Received, open_bus
from countersign.messaging.projections.follower import follow
from countersign.pr_writer import bootstrap
from countersign.pr_writer.jobs.model import (
    Access,
    FollowJob,
    Job,
    LookJob,
    OpenJob,
    SecretSource,
    opening,
)
from countersign.pr_writer.jobs.outcomes import Failure, Followed, Known, Looked, Opened, Progress
from countersign.pr_writer.parent.executors import ExecutorPool, executor_pool
from countersign.pr_writer.settings import Settings
from countersign.process.health import Health
from countersign.process.setup import Telemetry
from countersign.telemetry.settings import TelemetrySettings

REPOSITORY = "acme/fleet"
MANIFEST = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: podinfo}
spec:
  chart:
    spec:
      version: 6.8.0 # {"$promotion": "apps:podinfo:%s"}
"""
FILES = {
    "README.md": "# fleet\n",
    "clusters/prod/podinfo.yaml": MANIFEST % "prod",
    "clusters/staging/podinfo.yaml": MANIFEST % "staging",
    "clusters/prod/other.yaml": "a: 1\n",
}
SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass
class ForgeClock:
    """Dates what is done at the forge; `behind_s` of what is to be old already."""

    behind_s: float = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self.behind_s)


@dataclass
class Story:
    """A forge with a repository, and jobs about it."""

    forge: RunningForge
    secrets_dir: Path
    token: Secret
    entry: Forge
    clock: ForgeClock = field(default_factory=ForgeClock)
    # Of the Pipeline, and where its Secrets are if they are not in the folder.
    namespace: str = "apps"
    kube: KubeSettings = field(default_factory=KubeSettings)

    def mark(self, **marks: Any) -> None:
        """Let the administrator say how pull requests are marked there."""
        names = PullRequestNames.model_validate(marks)
        self.entry = self.entry.model_copy(update={"pull_requests": names})

    def requested(
        self,
        version: str = "6.9.0",
        *,
        environment: str = "prod",
        previous: str = "",
        manual: bool = False,
        mode: CredentialMode = CredentialMode.STORED,
        path: str = "",
        repository: str = REPOSITORY,
        base: str = "main",
        marker_key: str = "",
    ) -> PromotionRequested:
        name = hashlib.sha256(f"{version}{environment}{previous}".encode()).hexdigest()[:16]
        return PromotionRequested(
            promotion=PromotionRef(
                promotion_id=name,
                pipeline=PipelineRef(
                    namespace=self.namespace, name="podinfo", uid="u1", generation=1
                ),
                environment=environment,
                attempt=1,
            ),
            app=ObjectRef(kind="HelmRelease", name="podinfo"),
            from_environment="staging",
            content=Content(identity=version, revision=parse_revision(version)),
            current=parse_revision("6.8.0"),
            destination=destination(
                kind="github",
                url=f"{self.forge.origin}/{repository}",
                base_branch=base,
                path=path,
            ),
            marker_key=marker_key or f"apps:podinfo:{environment}",
            mode=mode,
            secret=SecretRef(namespace=self.namespace, name="fleet")
            if mode is CredentialMode.STORED
            else None,
            manual=manual,
            previous_promotion_id=previous,
            requested_at=datetime.now(UTC),
        )

    def access(self, mode: CredentialMode = CredentialMode.STORED) -> Access:
        return Access(
            mode=mode, forge=self.entry, secrets=SecretSource(folder=str(self.secrets_dir))
        )

    def job(self, request: PromotionRequested | None = None, **changes: object) -> OpenJob:
        promotion = Promotion(request=request or self.requested(), state=State.OPENING)
        access = self.access(promotion.request.mode)
        return opening(promotion, access=access, approval=None).model_copy(update=changes)

    def look_job(
        self,
        request: PromotionRequested | None = None,
        *,
        numbers: tuple[int, ...] = (),
        closes: bool = True,
    ) -> LookJob:
        return LookJob(
            request=request or self.requested(),
            attempt=1,
            access=self.access(),
            numbers=numbers,
            closes=closes,
            reason="6.9.1 is newer",
        )

    def follow_job(self, number: int, *, since: str = "") -> FollowJob:
        return FollowJob(
            request=self.requested(), attempt=1, access=self.access(), number=number, since=since
        )

    def store(self, token: Secret, name: str = "fleet") -> None:
        folder = self.secrets_dir / "apps" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(token.reveal())

    def open_pulls(self) -> list[int]:
        pulls = self.forge.pulls(REPOSITORY)
        return [p.number for p in pulls if p.closed_at is None and p.merged_at is None]


class NoRedeemer:
    async def redeem(self, job: OpenJob, *, public_key: bytes) -> tuple[RedeemRequest, bytes]:
        raise AssertionError(f"nothing is delegated here: {job.branch} {public_key!r}")


@dataclass
class Runner:
    """Runs jobs and keeps what was told on the way."""

    pool: ExecutorPool
    told: list[Progress] = field(default_factory=list)

    async def run(self, job: Job) -> Failure | Opened | Looked | Followed:
        return await self.pool.run(job, on_progress=self._hear, redeemer=NoRedeemer())

    async def open(self, job: OpenJob) -> Opened:
        outcome = await self.run(job)
        assert isinstance(outcome, Opened), outcome
        return outcome

    async def fail(self, job: OpenJob) -> Failure:
        outcome = await self.run(job)
        assert isinstance(outcome, Failure), outcome
        return outcome

    async def look(self, job: LookJob) -> Looked:
        outcome = await self.run(job)
        assert isinstance(outcome, Looked), outcome
        return outcome

    async def follow(self, job: FollowJob) -> Followed:
        outcome = await self.run(job)
        assert isinstance(outcome, Followed), outcome
        return outcome

    async def _hear(self, progress: Progress) -> None:
        self.told.append(progress)

    @property
    def calls(self) -> list[str]:
        return [p.call[0] for p in self.told if p.call]


@asynccontextmanager
async def telling_story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = ForgeClock()
    async with running_forge(tmp_path / "forge", clock=clock) as forge:
        forge.person("robot")
        forge.person("ada", name="Ada Lovelace")
        forge.repository(REPOSITORY, FILES, writers=["robot", "ada"])
        entry = Forge(
            name="Forge",
            kind="github",
            origin=forge.origin,
            repositories={"apps": ("acme/*",)},
        )
        token = forge.token("robot", scopes=["repo"])
        made = Story(forge, tmp_path / "secrets", token, entry, clock)
        made.store(token)
        yield made


@asynccontextmanager
async def running_executors() -> AsyncIterator[Runner]:
    async with executor_pool(at_once=8) as pool:
        yield Runner(pool)


@dataclass
class Stage:
    """The service on a bus, and everybody else's voice."""

    story: Story
    server: LocalServer
    watcher: Bus
    approval: Bus
    heard: list[Message] = field(default_factory=list)
    delegations: dict[str, Secret] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    writer: asyncio.Future[None] = field(default_factory=asyncio.Future)

    async def hear(self, received: Received) -> None:
        self.heard.append(received.message)
        self.news.set()

    async def next(self, kind: type[Message], *, count: int = 1, timeout_s: float = 20) -> Message:
        """Wait for the count-th event of a kind."""
        async with asyncio.timeout(timeout_s):
            while True:
                found = [m for m in self.heard if isinstance(m, kind)]
                if len(found) >= count:
                    return found[count - 1]
                self.news.clear()
                await self.news.wait()

    def of(self, kind: type[Message]) -> list[Any]:
        return [m for m in self.heard if isinstance(m, kind)]

    async def request(self, event: PromotionRequested) -> None:
        await self.watcher.publish(event, message_id=event.promotion.promotion_id)

    async def grant(
        self, event: PromotionRequested, *, token: Secret | None, user: ForgeUser
    ) -> None:
        """Consent with a delegation that this stage's vault holds; with none, not any more."""
        tried, name = event.promotion.attempt, f"a-{event.promotion.promotion_id}"
        name = name if tried <= 1 else f"{name}-{tried}"
        if token is not None:
            self.delegations[name] = token
        granted = ApprovalGranted(
            promotion=event.promotion,
            approval_id=name,
            by=Person(id="ada", name="Ada"),
            mode=CredentialMode.DELEGATED,
            forge_user=user,
            replica=self.approval.replica,
            granted_at=datetime.now(UTC),
            consent_digest=consent_digest(event),
        )
        await self.approval.publish(granted, message_id=name)

    async def on_redeem(self, request: Message, _call: Call) -> Message:
        assert isinstance(request, RedeemRequest)
        token = self.delegations.get(request.approval_id)
        if token is None:
            return RedeemResponse(problem=Problem(code="expired", message="it is over"))
        key = X25519PublicKey.from_public_bytes(request.public_key)
        sealed = SUITE.encrypt(token.reveal().encode(), key, hpke_info(request))
        return RedeemResponse(sealed=sealed)


@asynccontextmanager
async def running_writer(
    story: Story, server: LocalServer, folder: Path
) -> AsyncIterator[asyncio.Future[None]]:
    """The service in this process; its zygote and executors are processes of their own."""
    forges_file = folder / "forges.yaml"
    forges_file.write_text("forges: []")
    settings = Settings(
        forges_file=forges_file,
        kube=story.kube,
        secrets_dir=None if story.kube.in_use else story.secrets_dir,
        poll_interval_s=1,
    )
    bus = server.settings("pr-writer", replica="w1")
    telemetry = Telemetry(service="pr-writer", settings=TelemetrySettings())
    running = asyncio.ensure_future(
        bootstrap.run(
            settings,
            bus,
            telemetry,
            forges=ForgeList(forges=(story.entry,)),
        )
    )
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait([running])


@asynccontextmanager
async def setting_stage(story: Story, tmp_path: Path) -> AsyncIterator[Stage]:
    async with local_server(tmp_path / "nats") as server:
        await provision(server)
        async with (
            open_bus(server.settings("watcher"), service="watcher", health=Health()) as watcher,
            open_bus(server.settings("approval"), service="approval", health=Health()) as approval,
            open_bus(server.settings("gateway"), service="gateway", health=Health()) as gateway,
        ):
            made = Stage(story, server, watcher, approval)
            listening = asyncio.ensure_future(
                follow(gateway, streams=("PROMOTIONS", "TOKENS"), apply=made.hear)
            )
            answers = (Answer("approval.redeem", made.on_redeem),)
            async with (
                approval.serving(answers=answers),
                running_writer(story, server, tmp_path) as writer,
            ):
                made.writer = writer
                yield made
            listening.cancel()
            await asyncio.wait([listening])


def merged(known: Known, learned: Known) -> Known:
    return Known(
        markers=known.markers | learned.markers,
        files=known.files | learned.files,
        large=(*known.large, *learned.large),
    )


def texts(story: Story, branch: str, files: Mapping[str, object]) -> dict[str, bytes | None]:
    return {path: story.forge.read(REPOSITORY, path, revision=branch) for path in files}
