"""The auditor in a world without files, forges and a bus, with a clock that stands still."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from countersign.auditor.checks.checking import Checker, Pace
from countersign.auditor.checks.inspecting import Inspector
from countersign.auditor.checks.reporting import Reports
from countersign.auditor.checks.sharing import Sharing
from countersign.auditor.handlers import Handlers
from countersign.auditor.interfaces import Clock, Inquiry, Prober, Reading, Secrets, Wake
from countersign.auditor.model import CredentialKey
from countersign.auditor.projection import Projection
from countersign.auditor.schedule import News, Schedule
from countersign.contracts.errors import Retryable
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    CredentialMode,
    CredentialUse,
    Destination,
    ForgeKind,
    ForgeUser,
    ObjectRef,
    PipelineObserved,
    PipelineRef,
    SecretRef,
    TokenChecked,
    TokenKind,
    TokenReason,
    TokenUsed,
    TokenUseOutcome,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects.inspection import Inspection
from countersign.messaging.refusals import BusRefusal

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEY = CredentialKey("apps", "promotion")
ORIGIN = "https://git.example"
TOKEN = "ghp_madeup0123456789"
FORGES = ForgeList(
    forges=(Forge(name="Git", kind="github", origin=ORIGIN, repositories={"apps": ("acme/*",)}),)
)
VALID = Inspection(
    kind=TokenKind.CLASSIC,
    validity=TokenValidity.VALID,
    owner=ForgeUser(id="7", login="ada"),
    is_person=True,
    scopes=("repo",),
    expiry_known=True,
)
DEAD = Inspection(kind=TokenKind.CLASSIC, validity=TokenValidity.INVALID, why=TokenReason.REFUSED)


def use(*, origin: str = ORIGIN, owner: str = "acme") -> CredentialUse:
    return CredentialUse(
        secret=KEY.ref,
        environment="prod",
        destination=Destination(
            kind=ForgeKind.GITHUB,
            origin=origin,
            owner=owner,
            repository="gitops",
            base_branch="main",
        ),
        mode=CredentialMode.STORED,
    )


def observed(*uses: CredentialUse) -> PipelineObserved:
    return PipelineObserved(
        pipeline=PipelineRef(namespace="apps", name="podinfo", uid="u1"),
        app=ObjectRef(kind="HelmRelease", name="podinfo"),
        credentials=uses,
    )


def used(at: datetime, outcome: TokenUseOutcome = TokenUseOutcome.ACCEPTED) -> TokenUsed:
    credential = SecretRef(namespace=KEY.namespace, name=KEY.name)
    return TokenUsed(credential=credential, used_at=at, outcome=outcome)


@dataclass
class FakeSecrets:
    reading: Reading
    fresh: bool = False
    # A Secret whose reading fails in a way that nobody thought of.
    broken: CredentialKey | None = None

    async def read(self, key: CredentialKey) -> Reading:
        if key == self.broken:
            raise OverflowError("nobody thought of that")
        self.fresh = False
        return self.reading

    async def changed(self, keys: Iterable[CredentialKey]) -> frozenset[CredentialKey]:
        return frozenset(keys) if self.fresh else frozenset()

    def renew(self, token: str, *, at: datetime) -> None:
        self.reading = Reading(changed_at=at, token=Secret(token), mark=f"mark of {token[-3:]}")
        self.fresh = True

    def forbid(self) -> None:
        self.reading = Reading(
            changed_at=START, why=TokenReason.SECRET_FORBIDDEN, detail="kubectl would help"
        )
        self.fresh = True

    def remove(self) -> None:
        self.reading = Reading(changed_at=START, detail="it is not there")
        self.fresh = True


@dataclass
class FakeProber:
    answer: Inspection = VALID
    asked: list[str] = field(default_factory=list)
    trusted: list[str] = field(default_factory=list)
    inquiries: list[Inquiry] = field(default_factory=list)
    resting_until: datetime | None = None

    def rest_until(self, inquiry: Inquiry) -> datetime | None:
        del inquiry
        return self.resting_until

    async def probe(self, inquiry: Inquiry) -> Inspection:
        self.inquiries.append(inquiry)
        self.trusted.append(inquiry.reading.authority)
        self.asked.append(inquiry.forge.origin)
        return self.answer


@dataclass
class FakeBus:
    events: list[TokenChecked] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    away: bool = False

    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> object:
        assert not create_once
        if self.away:
            raise Retryable(BusRefusal.TIMEOUT, "the bus is away")
        assert isinstance(event, TokenChecked)
        self.events.append(event)
        self.ids.append(message_id)
        return None

    @property
    def last(self) -> TokenChecked:
        return self.events[-1]

    @property
    def codes(self) -> list[str]:
        return [f.code for f in self.last.findings]


@dataclass(frozen=True)
class _Received:
    message: Message
    trace: dict[str, str] = field(default_factory=dict)


@dataclass
class Service:
    projection: Projection
    secrets: FakeSecrets
    prober: FakeProber
    bus: FakeBus
    schedule: Schedule
    handlers: Handlers
    clock: list[datetime]

    @property
    def now(self) -> datetime:
        return self.clock[0]

    def hear(self, event: Message) -> None:
        self.handlers.on_event(_Received(event))

    async def after(self, pause: timedelta) -> float:
        self.clock[0] += pause
        return await self.schedule.step()


def checker_of(
    projection: Projection,
    *,
    secrets: Secrets,
    prober: Prober,
    bus: "FakeBus",
    forges: ForgeList,
    now: Clock,
    news: Wake,
) -> Checker:
    return Checker(
        projection=projection,
        secrets=secrets,
        forges=forges,
        inspector=Inspector(prober, projection=projection),
        reports=Reports(bus, projection=projection, now=now),
        sharing=Sharing(),
        pace=Pace(interval=timedelta(hours=1), jitter=lambda: 0.5),
        now=now,
        news=news,
    )


def build(*, forges: ForgeList = FORGES, projection: Projection | None = None) -> Service:
    clock = [START]
    reading = Reading(changed_at=START - timedelta(days=1), token=Secret(TOKEN), mark="first")
    known = projection or Projection()
    secrets, prober, bus = FakeSecrets(reading), FakeProber(), FakeBus()
    news = News()
    checker = checker_of(
        known,
        secrets=secrets,
        prober=prober,
        bus=bus,
        forges=forges,
        now=lambda: clock[0],
        news=news,
    )
    schedule = Schedule(checker, projection=known, secrets=secrets, news=news, now=lambda: clock[0])
    handlers = Handlers(known, wake=news)
    return Service(known, secrets, prober, bus, schedule, handlers, clock)


def restarted(before: Service) -> Service:
    """Another process that reads what the streams hold of each subject."""
    projection = Projection()
    after = build(projection=projection)
    after.clock[0] = before.now
    after.secrets.reading = replace(before.secrets.reading, mark="of another process")
    projection.pipeline_observed(observed(use()))
    projection.token_checked(before.bus.last)
    after.schedule.begin()
    return after
