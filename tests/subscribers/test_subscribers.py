"""The programs of docs/subscribe.md do what it says, against a real server."""

from pathlib import Path

import pytest
from nats.aio.client import Client
from subscribers.conftest import example, publish
from subscribers.documented import programs
from subscribers.programs import Command, killed_at_end, until_printed

from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS, PromotionRequested
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.topology.readers import API_PREFIX

pytestmark = pytest.mark.timeout(900)
LINES_MAX = {"follow": 15, "replay": 30}
LANGUAGES = ("go", "ts", "py")


def test_every_language_has_both_programs() -> None:
    wanted = {f"{kind}.{each}" for kind in LINES_MAX for each in (*LANGUAGES, "sh")}

    assert set(programs()) == wanted


@pytest.mark.parametrize("name", programs())
def test_program_is_as_short_as_it_says(name: str) -> None:
    lines = [line for line in programs()[name].splitlines() if line.strip()]

    assert len(lines) <= LINES_MAX[name.partition(".")[0]]


def events(count: int) -> list[tuple[str, Message]]:
    return [(f"id-{number}", example(PromotionRequested)) for number in range(count)]


async def test_nats_command_prints_what_the_durable_holds(
    server: LocalServer, command: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    await publish(server, *events(3))
    printed = tmp_path / "printed"
    program = command("replay.sh", tmp_path)

    async with killed_at_end(program, folder=tmp_path, environment=environment, printed=printed):
        await until_printed([f"id-{number}" for number in range(3)], printed)


async def test_tool_gets_every_kind_of_event(server: LocalServer) -> None:
    """Over all three streams, by the reader's own durables."""
    await publish(server, *((model.__name__, example(model)) for model in EVENTS))
    client = Client()
    await client.connect(server.url, nkeys_seed=str(server.readers_dir / "tool.nk"))
    found: set[str] = set()
    try:
        api = client.jetstream(prefix=API_PREFIX)
        for stream, count in (("PROMOTIONS", 17), ("PIPELINES", 2), ("TOKENS", 3)):
            durable = await api.pull_subscribe_bind(consumer="reader-tool", stream=stream)
            for _ in range(count):
                (message,) = await durable.fetch(1, timeout=5)
                found.add((message.headers or {})["ce-id"])
                await message.ack_sync()
    finally:
        await client.close()

    assert found == {model.__name__ for model in EVENTS}
