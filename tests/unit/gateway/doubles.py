"""A gateway without a bus: events are told to it, and what it asks for is written down."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import CodeType
from typing import Any

from jinja2.bccache import Bucket, BytecodeCache
from starlette.types import ASGIApp

from countersign.contracts.errors import Retryable
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApproveResponse,
    BeginResponse,
    CompleteResponse,
    Person,
    RejectResponse,
    RetryResponse,
)
from countersign.contracts.record.decisions import Heard
from countersign.contracts.subjects import stream_of
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.access.holdings import LocalReviewer
from countersign.gateway.access.people import LocalAccess, LocalSignIn
from countersign.gateway.access.sessions import Sessions
from countersign.gateway.access.strangers import Strangers
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.approval_client import ApprovalClient
from countersign.gateway.auditor_client import AuditorClient
from countersign.gateway.html.documents import read_documents
from countersign.gateway.html.static_files import StaticFiles, read_static_files
from countersign.gateway.html.templates import Templates
from countersign.gateway.interfaces import Access, FeedStatus, Provider, Reviewer
from countersign.gateway.live.hub import Hub
from countersign.gateway.routes import Site, application
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.view.projection import Projection
from countersign.gateway.web.address import Address
from countersign.gateway.web.frames import Screen
from countersign.messaging.refusals import BusRefusal
from countersign.process.http.rates import Network, RateLimit

NOW = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
FORGE = "http://localhost:3000"
PEOPLE = (
    Person(id="grace", name="Grace Hopper", groups=("developers",)),
    Person(id="ada", name="Ada Lovelace", groups=("platform",)),
    Person(id="alan", name="Alan Turing", groups=("viewers",)),
)
FORGES = ForgeList.model_validate(
    {
        "forges": [
            {
                "name": "GitHub",
                "kind": "github",
                "origin": FORGE,
                "clientId": "Iv1.countersign",
                "minutes": 15,
                "repositories": {"shop": ["acme/*"]},
            }
        ]
    }
)
# Compiling them is most of what a page costs, and gives the same for every scene.
COMPILED: dict[str, CodeType] = {}
Answer = Message | Callable[[Message], Message] | Exception


class Compiled(BytecodeCache):
    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = COMPILED.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            COMPILED[bucket.key] = bucket.code


@cache
def static_files() -> StaticFiles:
    return read_static_files()


class FakeRequests:
    """Answers from a table, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Message, str]] = []
        self.told: list[tuple[str, Message]] = []
        self.answers: dict[str, Answer] = {
            "approval.begin": BeginResponse(
                approval_id="ap1",
                replica="r1",
                authorize_url=f"{FORGE}/login/oauth/authorize?state=r1.abc",
            ),
            "approval.complete": CompleteResponse(),
            "approval.approve": ApproveResponse(approval_id="ap2"),
            "approval.reject": RejectResponse(),
            "approval.retry": RetryResponse(attempt=2),
        }

    async def request(
        self,
        method: str,
        request: Message,
        *,
        replica: str = "",
        timeout_s: float = 10,  # noqa: ARG002
    ) -> Message:
        self.asked.append((method, request, replica))
        answer = self.answers.get(method) or Retryable(BusRefusal.NO_RESPONDER, method)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Message) else answer(request)

    async def broadcast(self, method: str, request: Message) -> None:
        self.told.append((method, request))


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@dataclass
class FakeFeed:
    status: FeedStatus = field(
        default_factory=lambda: FeedStatus(caught_up=True, connected=True, lost_at=None)
    )


DOCUMENTS = read_documents()


@dataclass
class Scene:
    """Everything around one gateway."""

    public_url: str = "http://127.0.0.1:8080"
    clock: Clock = field(default_factory=Clock)
    requests: FakeRequests = field(default_factory=FakeRequests)
    feed: FakeFeed = field(default_factory=FakeFeed)
    forges: ForgeList = FORGES
    people: tuple[Person, ...] = PEOPLE
    access: Access = field(default_factory=LocalAccess)
    provider: Provider | None = None
    reviewer: Reviewer | None = None
    sequences: dict[str, int] = field(default_factory=dict)
    session_key: bytes = b""
    strangers_max: int = 10_000
    proxies: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        self.links = ForgeLinks(self.forges)
        self.static = static_files()
        self.templates = Templates(
            clock=self.clock, dice=secrets.token_bytes, static=self.static, links=self.links
        )
        self.templates._environment.bytecode_cache = Compiled()
        self.projection = Projection(links=self.links)
        self.hub = Hub(
            projection=self.projection,
            templates=self.templates,
            access=self.access,
            pause=asyncio.sleep,
        )
        self.visibility = Visibility(self.projection, self.access)
        self.sessions = Sessions(clock=self.clock, dice=secrets.token_bytes, key=self.session_key)
        self.site = Site(
            address=Address(self.public_url),
            accounts=Accounts(
                sessions=self.sessions,
                strangers=Strangers(
                    rate=RateLimit(
                        requests_max=self.strangers_max, clock=lambda: self.clock().timestamp()
                    ),
                    proxies=self.proxies,
                ),
                sign_in=LocalSignIn(self.people),
                provider=self.provider,
            ),
            visibility=self.visibility,
            screen=Screen(templates=self.templates, projection=self.projection, feed=self.feed),
            hub=self.hub,
            approval=ApprovalClient(self.requests),
            auditor=AuditorClient(self.requests),
            reviewer=self.reviewer or LocalReviewer(self.people),
            links=self.links,
        )

    @property
    def app(self) -> ASGIApp:
        return application(self.site, self.static, DOCUMENTS)

    def tell(self, *events: Message, traceparent: str = "") -> None:
        """What the bus would say, in this order."""
        for event in events:
            stream = stream_of(type(event))
            self.sequences[stream] = self.sequences.get(stream, 0) + 1
            heard = Heard(
                sequence=self.sequences[stream],
                recorded_at=self.clock(),
                traceparent=traceparent,
            )
            change = self.projection.apply(event, stream=stream, heard=heard)
            if change is not None:
                self.hub.changed(change)


def without_none(**values: Any) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v is not None}
