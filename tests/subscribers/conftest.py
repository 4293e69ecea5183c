"""A real bus with every event on it, and what other languages need."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import prerequisites
import pytest
from doubles.tls_bus import TlsServer
from reference import ROOT
from subscribers.documented import programs
from subscribers.programs import Command

from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS
from countersign.messaging.administration import reader_files
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.publishing import Stamp, publish_event
from countersign.messaging.topology.readers import durables
from countersign.messaging.topology.streams import DURABLES, STREAMS

HERE = Path(__file__).parent
EXAMPLES = ROOT / "proto/examples"
READER = "tool"
SOURCE = "https://board.example"
BUILD_S_MAX = 900


def example(model: type[Message]) -> Message:
    return model.from_json((EXAMPLES / f"{model.__name__}.json").read_text())


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    known = (reader_files.add(tmp_path / "readers", READER),)
    async with local_server(tmp_path) as running:
        async with connected(running, "topology") as client:
            await apply_topology(
                client, streams=STREAMS.values(), durables=(*DURABLES.values(), *durables(known))
            )
        yield running


@asynccontextmanager
async def connected(server: LocalServer | TlsServer, user: str) -> AsyncIterator:  # type: ignore[type-arg]
    state = ConnectionState(user)
    client = await connect(server.settings(user), service=user, state=state)
    try:
        yield client
    finally:
        await close(client, state)


async def publish(server: LocalServer | TlsServer, *events: tuple[str, Message]) -> None:
    """Publish each under its id, with the rights of its publisher."""
    for message_id, event in events:
        async with connected(server, min(EVENTS[type(event)].publishers)) as client:
            stamp = Stamp(source=SOURCE, message_id=message_id, at=datetime.now(UTC))
            await publish_event(client, event, stamp=stamp, create_once=False)


@pytest.fixture
def environment(server: LocalServer) -> dict[str, str]:
    return environment_of(server, READER)


def environment_of(server: LocalServer | TlsServer, reader: str) -> dict[str, str]:
    """What docs/subscribe.md has a tool export."""
    return {
        **os.environ,
        "NATS_URL": server.url,
        "NATS_NKEY": str(reader_files.seed_of(server.readers_dir, reader)),
        "READER": reader,
        "EVENTS": "countersign.v1.>",
        "HOME": os.environ.get("HOME", "/tmp"),  # noqa: S108 - go wants one
    }


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """What npm brings, once for all workers."""
    prerequisites.path_or_skip(prerequisites.NODE)
    npm = prerequisites.path_or_skip(prerequisites.NPM)
    with (HERE / ".npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (HERE / "node_modules").is_dir():
            subprocess.run(
                (npm, "ci", "--no-audit", "--no-fund", "--silent"),
                cwd=HERE,
                check=True,
                timeout=BUILD_S_MAX,
            )
    return HERE / "node_modules"


@pytest.fixture(scope="session")
def go_build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path | str, str], Path]:
    """Builds a package, or one file, with the modules that `go.sum` locks."""
    go = prerequisites.go_or_skip()

    def build(package: Path | str, name: str) -> Path:
        program = tmp_path_factory.mktemp("go") / name
        subprocess.run(
            (go, "build", "-mod=readonly", "-o", program, package),
            cwd=HERE,
            env={**os.environ, "GOFLAGS": "", "GOTOOLCHAIN": "local"},
            check=True,
            timeout=BUILD_S_MAX,
        )
        return program

    return build


@pytest.fixture(scope="session")
def nats_command(go_build: Callable[[Path | str, str], Path]) -> Path:
    """The `nats` command: installed, or built."""
    found = shutil.which("nats")
    return Path(found) if found else go_build("github.com/nats-io/natscli/nats", "nats")


@pytest.fixture
def command(request: pytest.FixtureRequest) -> Command:
    """How a program of the document is run, by its name, in a folder."""

    def of(name: str, folder: Path) -> tuple[str, ...]:
        path = folder / name
        path.write_text(programs()[name])
        match path.suffix:
            case ".go":
                return (str(request.getfixturevalue("go_build")(path, path.stem)),)
            case ".ts":
                modules = request.getfixturevalue("node_modules")
                (folder / "node_modules").unlink(missing_ok=True)
                (folder / "node_modules").symlink_to(modules)
                (folder / "package.json").write_text('{"type": "module"}')
                return (str(modules / ".bin/tsx"), str(path))
            case ".py":
                return (sys.executable, str(path))
            case _:
                tools = request.getfixturevalue("nats_command").parent
                return ("env", f"PATH={tools}:{os.environ['PATH']}", "sh", str(path))

    return of


def read_lines(path: Path) -> list[dict[str, object]]:
    """Whole lines of a file that somebody writes to."""
    text = path.read_text() if path.is_file() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
