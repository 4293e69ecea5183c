"""Every service, with each of its background tasks killed: none goes on as if nothing was."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import nkeys
import pytest
from doubles.streams import provision

import countersign.approval.bootstrap as approval
import countersign.approval.settings as approval_settings
import countersign.auditor.bootstrap as auditor
import countersign.auditor.settings as auditor_settings
import countersign.gateway.bootstrap as gateway
import countersign.gateway.settings as gateway_settings
import countersign.pr_writer.bootstrap as pr_writer
import countersign.pr_writer.settings as pr_writer_settings
import countersign.watcher.bootstrap as watcher
import countersign.watcher.settings as watcher_settings
from countersign.contracts.forge_list import ForgeList
from countersign.kube.access.http_api import KubeSettings
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.process.setup import Telemetry, TelemetrySettings

# Whose tasks are killed may leave a connection open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
Start = Callable[[LocalServer, Path, Telemetry], Coroutine[Any, Any, None]]
NO_KUBE: Final = KubeSettings(url="")


def start_watcher(server: LocalServer, folder: Path, told: Telemetry) -> Any:
    settings = watcher_settings.Settings(cluster_dir=folder / "cluster", kube=NO_KUBE)
    return watcher.run(settings, server.settings("watcher"), told, sources={})


def start_approval(server: LocalServer, folder: Path, told: Telemetry) -> Any:
    pair = nkeys.from_seed(bytearray((server.keys_dir / "pr-writer.nk").read_bytes().strip()))
    writers = folder / "writer-nkeys"
    writers.write_bytes(pair.public_key)
    settings = approval_settings.Settings(
        forges_file=folder / "forges.yaml",
        public_url="http://127.0.0.1:1",
        writer_nkeys_file=writers,
    )
    return approval.run(
        settings, server.settings("approval"), told, forges=ForgeList(), kube=NO_KUBE
    )


def start_pr_writer(server: LocalServer, folder: Path, told: Telemetry) -> Any:
    settings = pr_writer_settings.Settings(
        forges_file=folder / "forges.yaml", kube=NO_KUBE, secrets_dir=folder
    )
    return pr_writer.run(settings, server.settings("pr-writer"), told, forges=ForgeList())


def start_auditor(server: LocalServer, folder: Path, told: Telemetry) -> Any:
    settings = auditor_settings.Settings(
        forges_file=folder / "forges.yaml", kube=NO_KUBE, secrets_dir=folder
    )
    return auditor.run(settings, server.settings("auditor"), told, forges=ForgeList())


def start_gateway(server: LocalServer, folder: Path, told: Telemetry) -> Any:
    settings = gateway_settings.GatewaySettings(port=0, people_file=folder / "people.yaml")
    configuration = gateway.Configuration(
        gateway=settings, bus=server.settings("gateway"), kube=NO_KUBE
    )
    return gateway.run(configuration, told)


SERVICES: Final[dict[str, Start]] = {
    "watcher": start_watcher,
    "approval": start_approval,
    "pr-writer": start_pr_writer,
    "auditor": start_auditor,
    "gateway": start_gateway,
}
# Of each service at least these; a projection of each stream it follows beside them.
EXPECTED: Final = {
    "watcher": {"watcher-objects", "watcher-streams", "watcher-hints", "watcher-observer"},
    "approval": {"approval-revocations", "approval-news", "approval-schedule"},
    "pr-writer": {"writer-projection", "writer-work", "pulling-pr-writer-jobs"},
    "auditor": {"auditor-schedule"},
    "gateway": {"gateway-hub", "gateway-feed", "gateway-rights", "gateway-bus", "gateway-pages"},
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with local_server(tmp_path / "bus") as running:
        await provision(running)
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "forges.yaml").write_text("forges: []")
    (tmp_path / "people.yaml").write_text("people:\n- id: ada\n  name: Ada\n")
    return tmp_path


@asynccontextmanager
async def running(
    service: str, server: LocalServer, folder: Path
) -> AsyncIterator[tuple[asyncio.Task[None], Telemetry]]:
    told = Telemetry(service=service, settings=TelemetrySettings())
    others = asyncio.all_tasks()
    task = asyncio.create_task(SERVICES[service](server, folder, told))
    try:
        async with asyncio.timeout(20):
            while told.health.not_ready() or not background_tasks(service):
                assert not task.done(), task
                await asyncio.sleep(0.02)
        yield task, told
    finally:
        task.cancel()
        await asyncio.wait({task})
        # A connection that nobody closed connects again for ever, and `wait_for` of Python 3.11 may
        # swallow a cancellation: it is sent until it is heard.
        while left := asyncio.all_tasks() - others:
            for one in left:
                one.cancel()
            await asyncio.wait(left, timeout=0.2)
        gc.collect()


def background_tasks(service: str) -> dict[str, asyncio.Task[Any]]:
    tasks = {task.get_name(): task for task in asyncio.all_tasks()}
    found = {
        n: t for n, t in tasks.items() if n.startswith(("projection-", "pulling-", "beating-"))
    }
    found |= {n: t for n, t in tasks.items() if n in EXPECTED[service]}
    return found if EXPECTED[service] <= found.keys() else {}


@pytest.mark.parametrize("service", SERVICES)
async def test_service_is_not_live_once_a_background_task_was_killed(
    server: LocalServer, folder: Path, service: str
) -> None:
    async with running(service, server, folder) as (task, told):
        assert told.health.not_live() == {}
        for name, killed in background_tasks(service).items():
            killed.cancel()
            await asyncio.wait({killed}, timeout=10)
            if task.done():
                break

            assert name in told.health.not_live(), name
        assert told.health.not_live()


@pytest.mark.parametrize("service", SERVICES)
async def test_service_ends_once_its_projection_fails(
    server: LocalServer, folder: Path, service: str
) -> None:
    """The stream is there, and what follows it is thrown out of its loop."""
    async with running(service, server, folder) as (task, told):
        projection = next(t for t in asyncio.all_tasks() if t.get_name().startswith("projection-"))
        coroutine = projection.get_coro()
        assert coroutine is not None
        fail(projection)

        await asyncio.wait({task}, timeout=15)

        assert task.done()
        assert any(name.startswith("projection-") for name in told.health.not_live())
        assert task.exception() is not None


def fail(task: asyncio.Task[Any]) -> None:
    """Have what a task waits for raise, as a bug in it would."""
    waiter = task._fut_waiter  # type: ignore[attr-defined]
    waiter.set_exception(KeyError("a bug"))
