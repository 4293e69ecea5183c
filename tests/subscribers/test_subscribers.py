"""The programs of docs/subscribe.md do what it says, against a real server."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from subscribers.conftest import example, publish, read_lines
from subscribers.documented import programs

from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS, PromotionRequested
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.topology.readers import API_PREFIX

pytestmark = pytest.mark.timeout(900)
LINES_MAX = {"follow": 15, "replay": 30}
LANGUAGES = ("go", "ts", "py")
HEARD_S_MAX = 60
# A durable gives again, after its 10 s, what a killed tool had.
REPLAYED_S_MAX = 120
Command = Callable[[str], tuple[str, ...]]


def test_every_language_has_both_programs() -> None:
    wanted = {f"{kind}.{each}" for kind in LINES_MAX for each in (*LANGUAGES, "sh")}

    assert set(programs()) == wanted


@pytest.mark.parametrize("name", programs())
def test_program_is_as_short_as_it_says(name: str) -> None:
    lines = [line for line in programs()[name].splitlines() if line.strip()]

    assert len(lines) <= LINES_MAX[name.partition(".")[0]]


@pytest.fixture
def command(request: pytest.FixtureRequest, tmp_path: Path) -> Command:
    """How a program is run, by its name."""

    def of(name: str) -> tuple[str, ...]:
        path = tmp_path / name
        path.write_text(programs()[name])
        match path.suffix:
            case ".go":
                return (str(request.getfixturevalue("go_build")(path, path.stem)),)
            case ".ts":
                modules = request.getfixturevalue("node_modules")
                link = tmp_path / "node_modules"
                link.unlink(missing_ok=True)
                link.symlink_to(modules)
                (tmp_path / "package.json").write_text('{"type": "module"}')
                return (str(modules / ".bin/tsx"), str(path))
            case ".py":
                return (sys.executable, str(path))
            case _:
                folder = request.getfixturevalue("nats_command").parent
                return ("env", f"PATH={folder}:{os.environ['PATH']}", "sh", str(path))

    return of


@asynccontextmanager
async def running(
    command: tuple[str, ...], *, folder: Path, environment: dict[str, str]
) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        # With its children: `tsx` and `sh` start the program proper.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def heard(process: Process, text: str) -> str:
    assert process.stdout is not None
    while True:
        line = (await process.stdout.readline()).decode()
        assert line, "the program ended"
        if text in line:
            return line


def events(count: int, *, first: int = 0) -> list[tuple[str, Message]]:
    return [(f"id-{number}", example(PromotionRequested)) for number in range(first, first + count)]


async def told_until(server: LocalServer, hearing: asyncio.Task[str]) -> None:
    """Publish until somebody heard: from outside nobody sees when a tool began to listen."""
    number = 0
    while not hearing.done():
        number += 1
        await publish(server, (f"live-{number}", example(PromotionRequested)))
        await asyncio.wait([hearing], timeout=0.2)


@pytest.mark.parametrize("language", [*LANGUAGES, "sh"])
async def test_program_follows(
    server: LocalServer,
    command: Command,
    environment: dict[str, str],
    tmp_path: Path,
    language: str,
) -> None:
    wanted = "promotion.requested" if language == "sh" else "live-"
    program = command(f"follow.{language}")

    async with running(program, folder=tmp_path, environment=environment) as process:
        hearing = asyncio.create_task(heard(process, wanted))
        async with asyncio.timeout(HEARD_S_MAX):
            await told_until(server, hearing)
        line = await hearing

    assert language == "sh" or "dev.countersign.promotion.requested.v1" in line


async def until_written(path: Path, count: int) -> list[Any]:
    async with asyncio.timeout(REPLAYED_S_MAX):
        while True:
            ids = [line["id"] for line in read_lines(path)]
            if len(ids) >= count:
                return ids
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_program_replays_and_follows_each_event_exactly_once(
    server: LocalServer,
    command: Command,
    environment: dict[str, str],
    tmp_path: Path,
    language: str,
) -> None:
    """Killed half-way, away for a while, the bus stopped, stalled and started under it."""
    program = command(f"replay.{language}")
    out = tmp_path / "events.ndjson"
    await publish(server, *events(40))

    async with running(program, folder=tmp_path, environment=environment):
        await until_written(out, 10)
    await publish(server, *events(20, first=40))
    async with running(program, folder=tmp_path, environment=environment):
        await until_written(out, 60)
        await server.kill()
        await server.start()
        await publish(server, *events(20, first=60))
        await until_written(out, 80)
        await stall(server, seconds=3)
        await publish(server, *events(20, first=80))
        ids = await until_written(out, 100)

    assert ids == [f"id-{number}" for number in range(100)]


async def stall(server: LocalServer, *, seconds: float) -> None:
    process = server._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        process.send_signal(signal.SIGCONT)


async def test_nats_command_prints_what_the_durable_holds(
    server: LocalServer, command: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    await publish(server, *events(3))
    program = command("replay.sh")

    async with running(program, folder=tmp_path, environment=environment) as process:
        async with asyncio.timeout(HEARD_S_MAX):
            for number in range(3):
                await heard(process, f"id-{number}")


async def test_tool_gets_every_kind_of_event(server: LocalServer) -> None:
    """Over all three streams, by the reader's own durables."""
    await publish(server, *((model.__name__, example(model)) for model in EVENTS))
    client = Client()
    await client.connect(server.url, nkeys_seed=str(server.readers_dir / "tool.nk"))
    found: set[str] = set()
    try:
        api = client.jetstream(prefix=API_PREFIX)
        for stream, count in (("PROMOTIONS", 17), ("PIPELINES", 2), ("TOKENS", 2)):
            durable = await api.pull_subscribe_bind(consumer="reader-tool", stream=stream)
            for _ in range(count):
                (message,) = await durable.fetch(1, timeout=5)
                found.add((message.headers or {})["ce-id"])
                await message.ack_sync()
    finally:
        await client.close()

    assert found == {model.__name__ for model in EVENTS}
