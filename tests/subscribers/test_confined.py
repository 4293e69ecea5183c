"""The programs of docs/subscribe.md as a reader of one namespace, over TLS, as in a cluster."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from doubles.tls_bus import TlsServer
from subscribers.conftest import EXAMPLES, connected, environment_of, publish
from subscribers.programs import PRINTED_S_MAX, Command, killed_at_end

from countersign.contracts.message import Message
from countersign.contracts.messages import PromotionRequested
from countersign.messaging.administration import reader_files
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.topology.readers import durables
from countersign.messaging.topology.streams import STREAMS

pytestmark = pytest.mark.timeout(900)
READER = "chat"
PROGRAMS = [f"{kind}.{each}" for kind in ("follow", "replay") for each in ("go", "ts", "py", "sh")]
LOOK_S = 0.3


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TlsServer]:
    running = TlsServer(tmp_path)
    known = (reader_files.add(running.readers_dir, READER, namespaces=("shop",)),)
    await running.start()
    try:
        async with connected(running, "topology") as client:
            await apply_topology(client, streams=STREAMS.values(), durables=durables(known))
        yield running
    finally:
        await running.stop()


@pytest.fixture
def environment(server: TlsServer) -> dict[str, str]:
    return {
        **environment_of(server, READER),
        "NATS_CA": str(server.authority),
        "EVENTS": "countersign.v1.*.*.shop.>",
    }


def requested(namespace: str) -> Message:
    text = (EXAMPLES / "PromotionRequested.json").read_text()
    return PromotionRequested.from_json(text.replace('"shop"', f'"{namespace}"'))


def read(folder: Path) -> str:
    """Read all that a program printed, or wrote down."""
    files = (folder / "printed", folder / "events.ndjson")
    return "".join(file.read_text() for file in files if file.is_file())


async def until_read(server: TlsServer, folder: Path) -> None:
    """Publish until something is read: who follows hears nothing of what was before."""
    async with asyncio.timeout(PRINTED_S_MAX):
        number = 0
        while "of-shop" not in read(folder):
            number += 1
            events = [(f"of-{name}-{number}", requested(name)) for name in ("bank", "shop")]
            await publish(server, *events)
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def running(
    command: tuple[str, ...], *, folder: Path, environment: dict[str, str]
) -> AsyncIterator[Process]:
    async with killed_at_end(
        command, folder=folder, environment=environment, printed=folder / "printed", stderr=PIPE
    ) as process:
        yield process


async def said_at_end(process: Process, folder: Path) -> str:
    """Wait until it ends by itself as one that failed, and return what it said."""
    async with asyncio.timeout(PRINTED_S_MAX):
        _, error = await process.communicate()
    assert process.returncode != 0
    return (error.decode() + read(folder)).lower()


@pytest.mark.parametrize("name", ["follow.sh", "replay.sh"])
async def test_nats_command_reads_what_its_reader_may(
    server: TlsServer, environment: dict[str, str], command: Command, tmp_path: Path, name: str
) -> None:
    program = command(name, tmp_path)
    async with running(program, folder=tmp_path, environment=environment):
        await until_read(server, tmp_path)

    assert "of-bank" not in read(tmp_path)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if not name.endswith(".sh")])
async def test_program_reads_what_its_reader_may_until_its_key_is_refused(
    server: TlsServer, environment: dict[str, str], command: Command, tmp_path: Path, name: str
) -> None:
    program = command(name, tmp_path)
    async with running(program, folder=tmp_path, environment=environment) as process:
        await until_read(server, tmp_path)
        await server.stop()
        (server.readers_dir / f"{READER}.json").unlink()
        await server.start()
        said = await said_at_end(process, tmp_path)

    assert "of-bank" not in said
    assert "authorization" in said


@pytest.mark.parametrize("name", PROGRAMS)
async def test_program_ends_with_a_word_when_it_asks_for_what_it_may_not(
    environment: dict[str, str], command: Command, tmp_path: Path, name: str
) -> None:
    asked = {**environment, "EVENTS": "countersign.v1.>", "READER": "somebody"}
    program = command(name, tmp_path)

    async with running(program, folder=tmp_path, environment=asked) as process:
        assert "permissions violation" in await said_at_end(process, tmp_path)
