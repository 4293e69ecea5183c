"""Tools of others: what a reader can do on a real server, and what it cannot, tried."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from integration.messaging.conftest import connected_as
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from countersign.contracts.messages import PromotionRequested
from countersign.messaging.administration import reader_files
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.bus import open_bus
from countersign.messaging.topology.readers import API_PREFIX, durables
from countersign.messaging.topology.streams import DURABLES, STREAMS
from countersign.process.health import Health

STREAM = "PROMOTIONS"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    """One reader of everything, one of the namespace `apps`."""
    directory = tmp_path / "readers"
    known = (
        reader_files.add(directory, "archive"),
        reader_files.add(directory, "chat", namespaces=("apps",)),
    )
    async with local_server(tmp_path) as running:
        async with connected_as(running, "topology") as client:
            await apply_topology(
                client, streams=STREAMS.values(), durables=(*DURABLES.values(), *durables(known))
            )
        yield running


@asynccontextmanager
async def reading(server: LocalServer, name: str) -> AsyncIterator[Client]:
    """As a tool connects that knows an address and a key, and nothing else."""

    async def ignore(_error: Exception) -> None:
        pass

    client = Client()
    seed = str(server.readers_dir / f"{name}.nk")
    try:
        await client.connect(server.url, nkeys_seed=seed, error_cb=ignore, allow_reconnect=False)
        yield client
    finally:
        await client.close()


async def publish(server: LocalServer, bus_of: Any, *events: PromotionRequested) -> None:
    async with bus_of(server, "watcher") as bus:
        for event in events:
            await bus.publish(event, message_id=event.promotion.promotion_id)


@pytest.fixture
def bus_of() -> Any:
    return lambda server, user: open_bus(
        server.settings(user, replica=f"{user}-0"), service=user, health=Health()
    )


def elsewhere(event: PromotionRequested) -> PromotionRequested:
    """The same in a namespace that `chat` may not read."""
    body = json.loads(event.to_json())
    body["promotion"]["pipeline"]["namespace"] = "secret"
    return PromotionRequested.from_json(json.dumps(body))


async def replayed(client: Client, name: str, *, wanted: int) -> list[Any]:
    """What its own durable gives, in order, each acknowledged."""
    found: list[Any] = []
    stream = client.jetstream(prefix=API_PREFIX)
    subscription = await stream.pull_subscribe_bind(consumer=f"reader-{name}", stream=STREAM)
    while len(found) < wanted:
        for message in await subscription.fetch(1, timeout=5):
            found.append(message)
            await message.ack_sync()
    with pytest.raises(NatsTimeoutError):
        await subscription.fetch(1, timeout=0.3)
    return found


async def test_reader_replays_what_it_missed_and_hears_what_comes(
    server: LocalServer, bus_of: Any, requested: Any, until: Any
) -> None:
    await publish(server, bus_of, requested("p1"), requested("p2"))
    heard: list[Any] = []

    async def on_message(message: Any) -> None:
        heard.append(message)

    async with reading(server, "archive") as client:
        old = await replayed(client, "archive", wanted=2)
        await client.subscribe("countersign.v1.>", cb=on_message)
        await client.flush()
        await publish(server, bus_of, requested("p3"))
        await until(lambda: heard)

    assert [m.headers["ce-id"] for m in old] == ["p1", "p2"]
    (message,) = heard
    assert message.subject == "countersign.v1.promotion.requested.apps.podinfo.prod.p3"
    assert message.headers["ce-id"] == "p3"
    assert (message.headers["Nats-Sequence"], message.headers["Nats-Last-Sequence"]) == ("3", "0")


async def test_reader_that_was_away_goes_on_where_it_was(
    server: LocalServer, bus_of: Any, requested: Any
) -> None:
    await publish(server, bus_of, requested("p1"))
    async with reading(server, "chat") as client:
        await replayed(client, "chat", wanted=1)
    await publish(server, bus_of, requested("p2"))
    await server.kill()
    await server.start()

    async with reading(server, "chat") as client:
        missed = await replayed(client, "chat", wanted=1)

    assert [m.headers["ce-id"] for m in missed] == ["p2"]


async def test_reader_of_a_namespace_gets_no_other(
    server: LocalServer, bus_of: Any, requested: Any, until: Any
) -> None:
    heard: list[Any] = []

    async def on_message(message: Any) -> None:
        heard.append(message.headers["ce-id"])

    async with reading(server, "chat") as client:
        for subject in ("countersign.v1.>", "countersign.v1.*.*.secret.>", ">", "countersign-in.>"):
            await client.subscribe(subject, cb=on_message)
        await client.subscribe("countersign.v1.*.*.apps.>", cb=on_message)
        await client.flush()
        await publish(server, bus_of, elsewhere(requested("p1")), requested("p2"))
        await until(lambda: heard)
        stored = await replayed(client, "chat", wanted=1)

    assert heard == ["p2"]
    assert [m.headers["ce-id"] for m in stored] == ["p2"]


@pytest.mark.parametrize(
    "path",
    [
        "STREAM.INFO.PROMOTIONS",
        "DIRECT.GET.PROMOTIONS",
        "DIRECT.GET.PROMOTIONS.countersign.v1.promotion.requested.secret.podinfo.prod.p1",
        "STREAM.MSG.GET.PROMOTIONS",
        "STREAM.NAMES",
        "STREAM.PURGE.PROMOTIONS",
        "CONSUMER.CREATE.PROMOTIONS.reader-chat",
        "CONSUMER.DURABLE.CREATE.PROMOTIONS.reader-chat",
        "CONSUMER.DELETE.PROMOTIONS.reader-archive",
        "CONSUMER.INFO.PROMOTIONS.reader-archive",
        "CONSUMER.MSG.NEXT.PROMOTIONS.reader-archive",
        "CONSUMER.MSG.NEXT.PROMOTIONS.pr-writer-jobs",
    ],
)
async def test_reader_of_a_namespace_cannot_ask_for(
    server: LocalServer, bus_of: Any, requested: Any, path: str
) -> None:
    await publish(server, bus_of, elsewhere(requested("p1")))
    body = json.dumps({"seq": 1}).encode()

    async with reading(server, "chat") as client:
        for prefix in (API_PREFIX, "$JS.API"):
            try:
                answer = await client.request(f"{prefix}.{path}", body, timeout=0.5)
            except (NoRespondersError, NatsTimeoutError):
                continue
            assert json.loads(answer.data)["error"]["code"] == 503


async def test_reader_of_everything_may_ask_how_far_a_stream_is_and_read_it_by_number(
    server: LocalServer, bus_of: Any, requested: Any
) -> None:
    await publish(server, bus_of, requested("p1"))

    async with reading(server, "archive") as client:
        info = await client.request(f"{API_PREFIX}.STREAM.INFO.{STREAM}", b"", timeout=5)
        first = await client.request(f"{API_PREFIX}.DIRECT.GET.{STREAM}", b'{"seq":1}', timeout=5)

    assert json.loads(info.data)["state"]["last_seq"] == 1
    assert (first.headers or {})["ce-id"] == "p1"


@pytest.mark.parametrize("name", ["archive", "chat"])
async def test_reader_can_have_nothing_stored(
    server: LocalServer, bus_of: Any, requested: Any, name: str
) -> None:
    """Neither by publishing, nor by naming the intake as where an answer goes."""
    await publish(server, bus_of, requested("p1"))
    intake = "countersign-in.v1.promotion.requested.apps.podinfo.prod.p9"
    heard: list[Any] = []

    async def on_message(message: Any) -> None:
        heard.append(message)

    async with reading(server, name) as client:
        for path in (
            f"CONSUMER.MSG.NEXT.{STREAM}.reader-{name}",
            f"DIRECT.GET.{STREAM}",
            f"STREAM.INFO.{STREAM}",
        ):
            for prefix in (API_PREFIX, "$JS.API"):
                await client.publish(f"{prefix}.{path}", b'{"seq":1}', reply=intake)
        await client.publish(intake, b"{}")
        await client.publish(intake.replace("-in", ""), b"{}")
        await client.publish("countersign-rpc.v1.approval.begin", b"{}")
        await client.flush()

        async with connected_as(server, "gateway") as witness:
            await witness.subscribe("countersign.v1.>", cb=on_message)
            await witness.flush()
            state = await witness.request(f"$JS.API.STREAM.INFO.{STREAM}", b"", timeout=5)

    assert json.loads(state.data)["state"]["last_seq"] == 1
    assert heard == []


async def test_revoked_reader_is_let_in_no_more_once_the_server_was_told(
    server: LocalServer, requested: Any
) -> None:
    seed = (server.readers_dir / "chat.nk").read_text()
    reader_files.revoke(server.readers_dir, "chat")
    await server.stop()
    await server.start()
    (server.readers_dir / "chat.nk").write_text(seed)

    with pytest.raises(Exception, match=r"(?i)authorization"):
        async with reading(server, "chat"):
            pass
    async with reading(server, "archive") as client:
        await client.flush()


def topology(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("countersign-topology")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_command_adds_a_reader_to_a_running_server(
    server: LocalServer, bus_of: Any, requested: Any
) -> None:
    """As an administrator would: a key, a reload, the durables."""
    made = topology("reader", "add", "late", "--namespace", "apps", "--dir", server.readers_dir)
    await server.reload()
    environment = {
        **os.environ,
        "COUNTERSIGN_NATS_URL": server.url,
        "COUNTERSIGN_NKEY_FILE": str(server.keys_dir / "topology.nk"),
    }
    command = str(Path(sys.executable).with_name("countersign-topology"))
    applying = await asyncio.create_subprocess_exec(
        *(command, "apply", "--readers", str(server.readers_dir)), env=environment
    )
    assert await applying.wait() == 0
    await publish(server, bus_of, requested("p1"))

    assert made.returncode == 0, made.stderr
    assert "READER_late" in made.stdout
    assert (server.readers_dir / "late.nk").read_text().strip() not in made.stdout + made.stderr
    async with reading(server, "late") as client:
        stored = await replayed(client, "late", wanted=1)
    assert [m.headers["ce-id"] for m in stored] == ["p1"]


def test_command_lists_who_may_read_what(tmp_path: Path) -> None:
    topology("reader", "add", "chat", "--namespace", "b", "--namespace", "a", "--dir", tmp_path)
    topology("reader", "add", "archive", "--dir", tmp_path)

    listed = topology("reader", "list", "--dir", tmp_path).stdout.splitlines()

    assert [line.split("\t")[0] for line in listed] == ["archive", "chat"]
    assert [line.split("\t")[2] for line in listed] == ["everything", "a, b"]


@pytest.mark.parametrize("name", ["", "UPPER", "a.b", "../up", "a" * 33, "-a", "ä"], ids=ascii)
def test_command_refuses_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    refused = topology("reader", "add", "--dir", tmp_path, "--", name)

    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_command_refuses_to_revoke_who_is_not_there(tmp_path: Path) -> None:
    refused = topology("reader", "revoke", "nobody", "--dir", tmp_path)

    assert refused.returncode == 1
    assert "nobody" in refused.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", '{"publicKey": "}", "namespaces": []}'])
def test_record_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.json").write_text(text)

    refused = topology("reader", "list", "--dir", tmp_path)

    assert refused.returncode == 1
    assert "odd.json" in refused.stderr
    assert "Traceback" not in refused.stderr
