"""A real nats-server for each test, with our users, streams and durables."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from doubles.streams import provision
from nats.aio.client import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from countersign.contracts.messages import (
    ApprovalGranted,
    Content,
    CredentialMode,
    Destination,
    ObjectRef,
    Person,
    PipelineDeleted,
    PipelineRef,
    PromotionRef,
    PromotionRequested,
    Revision,
)
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.process.health import Health

OpenBus = Callable[..., AbstractAsyncContextManager[Bus]]
MakeEvent = Callable[..., PromotionRequested]


@asynccontextmanager
async def connected_as(server: LocalServer, user: str) -> AsyncIterator[Client]:
    state = ConnectionState(user)
    client = await connect(server.settings(user), service=user, state=state)
    try:
        yield client
    finally:
        await close(client, state)


@pytest.fixture
async def bare_server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with local_server(tmp_path) as running:
        yield running


@pytest.fixture
async def server(bare_server: LocalServer) -> LocalServer:
    await provision(bare_server)
    return bare_server


@pytest.fixture
def connect_as(bare_server: LocalServer) -> Callable[[str], AbstractAsyncContextManager[Client]]:
    return lambda user: connected_as(bare_server, user)


@pytest.fixture
def make_topology(bare_server: LocalServer) -> Callable[[], object]:
    return lambda: provision(bare_server)


@pytest.fixture
def bus_of(bare_server: LocalServer) -> OpenBus:
    def open_as(
        service: str, *, replica: str = "", health: Health | None = None
    ) -> AbstractAsyncContextManager[Bus]:
        settings = bare_server.settings(service, replica=replica or f"{service}-0")
        return open_bus(settings, service=service, health=health or Health())

    return open_as


def promotion(promotion_id: str, *, pipeline: str = "podinfo") -> PromotionRef:
    ref = PipelineRef(namespace="apps", name=pipeline, uid="u-1", generation=1)
    return PromotionRef(promotion_id=promotion_id, pipeline=ref, environment="prod", attempt=1)


@pytest.fixture
def requested() -> MakeEvent:
    def make(promotion_id: str = "p1", *, padding: str = "") -> PromotionRequested:
        revision = Revision(recorded="6.9.0", version="6.9.0")
        return PromotionRequested(
            promotion=promotion(promotion_id),
            app=ObjectRef(kind="HelmRelease", name="podinfo", api_version=padding),
            from_environment="dev",
            content=Content(identity="6.9.0", revision=revision),
            destination=Destination(
                origin="http://localhost:1", owner="o", repository="r", base_branch="main"
            ),
            marker_key="apps:podinfo:prod",
            mode=CredentialMode.DELEGATED,
            requested_at=datetime(2026, 11, 23, tzinfo=UTC),
        )

    return make


@pytest.fixture
def granted() -> Callable[..., ApprovalGranted]:
    def make(promotion_id: str = "p1") -> ApprovalGranted:
        return ApprovalGranted(
            promotion=promotion(promotion_id),
            approval_id="a1",
            by=Person(id="alice"),
            consent_digest="00",
        )

    return make


@pytest.fixture
def deleted() -> Callable[..., PipelineDeleted]:
    def make(name: str = "podinfo") -> PipelineDeleted:
        return PipelineDeleted(pipeline=PipelineRef(namespace="apps", name=name, uid="u-1"))

    return make


async def until(condition: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    """Wait for something that no event tells."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 (its subjects have no event to wait for)
            await asyncio.sleep(0.01)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., object]:
    return until


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[ReadableSpan]]:
    """What was traced. OpenTelemetry's provider is one for the process, so it is put in place."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return lambda: list(exporter.get_finished_spans())


@pytest.fixture
def remove(bare_server: LocalServer) -> Callable[[str], Awaitable[None]]:
    """Take a stream or durable off the disk: no user of ours may delete one."""

    async def take_away(pattern: str) -> None:
        await bare_server.stop()
        (found,) = (bare_server.directory / "store").glob(f"**/streams/{pattern}")
        shutil.rmtree(found)
        await bare_server.start()

    return take_away
