"""The service in memory: a stream, a forge at the wire, a clock that is set by hand."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from doubles.github_oauth import FORGE, ORIGIN, GitHubDouble, github

from countersign.approval.assembly import Dice, Neighbours, Permissions, Service, build
from countersign.approval.consent.rights import EverybodySignedIn
from countersign.approval.delegation.signatures import Writers
from countersign.approval.interfaces import Application, Applications, OAuth
from countersign.approval.model import NotPermitted
from countersign.contracts import messages as m
from countersign.contracts.consent.redemption import canonical_bytes, hpke_info
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.identity import consent_digest
from countersign.contracts.message import Message
from countersign.contracts.promotion import Promotion
from countersign.contracts.pull_request_names import PullRequestNames
from countersign.contracts.subjects import inbox_prefix
from countersign.kube.refusals import ClusterRefusal
from countersign.messaging.refusals import BusRefusal
from countersign.process.clocks import Clocks

SESSION = "5" * 64
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, 12, tzinfo=UTC)
        self.monotonic_s = 1_000.0

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)
        self.monotonic_s += timedelta(**span).total_seconds()

    def step(self, **span: float) -> None:
        """Set the wall's clock without time passing."""
        self.now += timedelta(**span)

    @property
    def clocks(self) -> Clocks:
        return Clocks(wall=self, monotonic=lambda: self.monotonic_s, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once, and others work meanwhile."""
        self.pass_(seconds=seconds)
        for _ in range(3):
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Received:
    message: Message
    trace: Mapping[str, str] = field(default_factory=lambda: TRACE)


@dataclass(frozen=True)
class Call:
    service: str = "pr-writer"
    reply: str = ""


class Stream:
    """Keeps each message id once and tells everybody at once."""

    def __init__(self) -> None:
        self.events: list[Message] = []
        self.ids: list[str] = []
        self.listeners: list[Service] = []
        self.away = False
        self.refused: set[type[Message]] = set()

    async def publish(self, event: Message, *, message_id: str, create_once: bool = False) -> None:
        assert not create_once
        if type(event) in self.refused:
            raise Rejected(BusRefusal.STREAM_REFUSED, "the stream does not take it")
        if self.away:
            raise Retryable(BusRefusal.TIMEOUT, "the bus is away")
        if message_id in self.ids:
            return
        self.ids.append(message_id)
        # As others read it.
        event = type(event).from_json(event.to_json())
        self.events.append(event)
        for listener in self.listeners:
            await listener.reactions.on_event(Received(event))

    def of(self, kind: type[Message]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Replicas:
    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.asked: list[str] = []

    async def is_gone(self, replica: str) -> bool:
        self.asked.append(replica)
        return replica in self.gone


class Authorizer(EverybodySignedIn):
    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.away = False
        self.asked: list[tuple[str, bool]] = []

    async def refuse(self, person: m.Person, promotion: Promotion, *, fresh: bool = False) -> None:
        self.asked.append((person.id, fresh))
        if self.away:
            raise Retryable(ClusterRefusal.UNAVAILABLE, "the cluster cannot be asked now")
        await super().refuse(person, promotion)
        if person.id in self.refused:
            raise NotPermitted(f"{person.id} may not; kubectl create role …")


def public_nkey(key: Ed25519PrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    body = bytes([20 << 3]) + raw
    checksum = binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return base64.b32encode(body + checksum).decode().rstrip("=")


@dataclass
class House:
    """Everything around one or more replicas."""

    clock: Clock
    forge: GitHubDouble
    stream: Stream = field(default_factory=Stream)
    replicas: Replicas = field(default_factory=Replicas)
    authorizer: Authorizer = field(default_factory=Authorizer)
    writer: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    minutes: int = 15
    names: PullRequestNames = field(default_factory=PullRequestNames)
    # Another forge's than GitHub's.
    oauth: OAuth | None = None

    def build(self, replica: str = "approval-0") -> Service:
        forge = FORGE.model_copy(update={"minutes": self.minutes, "pull_requests": self.names})
        oauth = self.oauth or github(self.forge, now=self.clock)
        application = Application(forge=forge, oauth=oauth)
        bare = FORGE.model_copy(update={"origin": "https://bare.example", "client_id": ""})
        service = build(
            applications=Applications(listed=(forge, bare), registered=(application,)),
            neighbours=Neighbours(replica=replica, publisher=self.stream, replicas=self.replicas),
            permissions=Permissions(
                authorizer=self.authorizer, writers=Writers(lambda: (public_nkey(self.writer),))
            ),
            clocks=self.clock.clocks,
            dice=Dice(text=secrets.token_urlsafe, hexadecimal=secrets.token_hex),
        )
        service.caught_up.set()
        return service

    @asynccontextmanager
    async def running(self, *names: str) -> AsyncIterator[tuple[Service, ...]]:
        """Replicas that have read the stream so far."""
        services = []
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            workers = []
            for name in names:
                service = self.build(name)
                for event in self.stream.events:
                    await service.reactions.on_event(Received(event))
                self.stream.listeners.append(service)
                services.append(service)
                workers.append(tasks.create_task(service.revocations.run()))
            try:
                yield tuple(services)
            finally:
                for worker in workers:
                    worker.cancel()

    async def request(self, **changes: Any) -> m.PromotionRequested:
        event = requested(**changes)
        name = f"{event.promotion.promotion_id}-requested"
        await self.stream.publish(event, message_id=name)
        return event

    def state(self, service: Service, promotion_id: str = "p" * 16) -> str:
        entry = service.promotions.find(promotion_id)
        return entry.promotion.state.value if entry else "over"

    async def begin(
        self,
        service: Service,
        *,
        by: str = "ada",
        session: str = SESSION,
        promotion_id: str = "p" * 16,
        **said: Any,
    ) -> m.BeginResponse:
        request = m.BeginRequest(
            promotion_id=promotion_id, person=person(by), session=session, **said
        )
        return await service.handlers.on_begin(request, Call("gateway"))

    async def complete(
        self, service: Service, back: Mapping[str, str], *, by: str = "ada", **changes: Any
    ) -> m.CompleteResponse:
        values: dict[str, Any] = {
            "replica": service.handlers.replica,
            "session": SESSION,
            "person": person(by),
            **back,
        }
        request = m.CompleteRequest(**{**values, **changes})
        return await service.handlers.on_complete(request, Call("gateway"))

    async def grant(
        self, service: Service, *, by: str = "ada", session: str = SESSION
    ) -> m.BeginResponse:
        """Sign in and come back."""
        begun = await self.begin(service, by=by, session=session)
        if not begun.granted:
            back = self.forge.sign_in(begun.authorize_url, by)
            done = await self.complete(service, back, by=by, session=session)
            assert done.problem is None, done.problem
        return begun

    def redemption(self, approval_id: str, **changes: Any) -> "Redemption":
        return Redemption.of(self, approval_id, changes)

    async def redeem(self, service: Service, redemption: "Redemption") -> m.RedeemResponse:
        call = Call(reply=redemption.request.reply)
        return await service.handlers.on_redeem(redemption.request, call)


@dataclass(frozen=True)
class Redemption:
    """One executor's request, and the key that opens the answer."""

    request: m.RedeemRequest
    key: X25519PrivateKey

    @classmethod
    def of(cls, house: House, approval_id: str, changes: Mapping[str, Any]) -> "Redemption":
        key = X25519PrivateKey.generate()
        values: dict[str, Any] = {
            "replica": "approval-0",
            "approval_id": approval_id,
            "promotion_id": "p" * 16,
            "attempt": 1,
            "consent_digest": consent_digest(requested()),
            "public_key": key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
            "nonce": secrets.token_bytes(16),
            "signed_at": house.clock(),
            "reply": f"{inbox_prefix('pr-writer')}.rpc.abc.1",
            "signature": b"unsigned",
        }
        signer = changes.get("signer", house.writer)
        wanted = {name: value for name, value in changes.items() if name != "signer"}
        request = m.RedeemRequest(**{**values, **wanted})
        signed = {"signature": signer.sign(canonical_bytes(request))}
        return cls(request.model_copy(update=signed), key)

    def open(self, response: m.RedeemResponse) -> str:
        suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
        return suite.decrypt(response.sealed, self.key, hpke_info(self.request)).decode()


def person(name: str) -> m.Person:
    return m.Person(id=name, name=name.title(), groups=("developers",))


def requested(**changes: Any) -> m.PromotionRequested:
    pipeline = m.PipelineRef(namespace="shop", name="checkout", uid="uid-1", generation=1)
    values: dict[str, Any] = {
        "promotion": m.PromotionRef(
            promotion_id="p" * 16, pipeline=pipeline, environment="prod", attempt=1
        ),
        "app": m.ObjectRef(kind="HelmRelease", name="checkout"),
        "from_environment": "staging",
        "content": m.Content(
            identity="6.9.1", revision=m.Revision(recorded="6.9.1", version="6.9.1")
        ),
        "destination": m.Destination(
            kind=m.ForgeKind.GITHUB,
            origin=ORIGIN,
            owner="shop",
            repository="deploy",
            base_branch="main",
        ),
        "marker_key": "shop:checkout:prod",
        "mode": m.CredentialMode.DELEGATED,
        "requested_at": datetime(2030, 1, 1, 11, tzinfo=UTC),
    }
    return m.PromotionRequested(**{**values, **changes})


def opened(approval_id: str = "", *, attempt: int = 1) -> m.PullRequestOpened:
    return m.PullRequestOpened(
        promotion=requested().promotion.model_copy(update={"attempt": attempt}),
        pull_request=m.PullRequestRef(origin=ORIGIN, owner="shop", repository="deploy", number=7),
        approval_id=approval_id,
    )


def failed(
    reason: m.FailureReason, *, attempt: int = 1, at: datetime | None = None
) -> m.PullRequestFailed:
    return m.PullRequestFailed(
        promotion=requested().promotion.model_copy(update={"attempt": attempt}),
        reason=reason,
        message="it failed",
        failed_at=at,
    )


async def settle(service: Service) -> None:
    """Until every revocation that is due was tried."""
    async with asyncio.timeout(5):
        await service.revocations._queue.join()
