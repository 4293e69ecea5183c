"""The bridge as a process, between a real bus and a destination that fails."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from doubles.http_sink import Sink, listening
from subscribers.conftest import READER, example, publish
from subscribers.conftest import server as server  # noqa: PLC0414 - a fixture

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    PromotionCompleted,
    PromotionRequested,
    PullRequestMerged,
)
from countersign.messaging.administration.local_server import LocalServer


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with listening() as made:
        yield made


@asynccontextmanager
async def bridge(server: LocalServer, sink: Sink, **settings: str) -> AsyncIterator[Process]:
    environment = {
        **os.environ,
        "COUNTERSIGN_NATS_URL": server.url,
        "COUNTERSIGN_NKEY_FILE": str(server.readers_dir / f"{READER}.nk"),
        "COUNTERSIGN_BRIDGE_READER": READER,
        "COUNTERSIGN_BRIDGE_URL": sink.url,
        **{f"COUNTERSIGN_BRIDGE_{name.upper()}": value for name, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("countersign-bridge")),
        env=environment, stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def events(count: int, *, first: int = 0) -> list[tuple[str, Message]]:
    return [(f"id-{number}", example(PromotionRequested)) for number in range(first, first + count)]


async def test_every_event_arrives_in_order_though_the_destination_fails(
    server: LocalServer, sink: Sink
) -> None:
    sink.statuses = [200, 503, 500, 200, 429]
    await publish(server, *events(6))

    async with bridge(server, sink):
        await sink.until_taken(6)

    assert [headers["ce-id"] for headers, _ in sink.taken] == [f"id-{n}" for n in range(6)]
    assert len(sink.seen) == 9


async def test_bridge_that_is_killed_goes_on_where_it_was(server: LocalServer, sink: Sink) -> None:
    await publish(server, *events(3))
    async with bridge(server, sink):
        await sink.until_taken(3)
    await publish(server, *events(3, first=3))

    async with bridge(server, sink):
        await sink.until_taken(6)
        if len({headers["ce-id"] for headers, _ in sink.taken}) < 6:
            await sink.until_taken(7)

    ids = [headers["ce-id"] for headers, _ in sink.taken]
    # What it was killed with may come once more, and nothing is missing.
    assert list(dict.fromkeys(ids)) == [f"id-{n}" for n in range(6)]


async def test_event_that_is_refused_keeps_none_back(server: LocalServer, sink: Sink) -> None:
    sink.statuses = [400]
    await publish(server, *events(2))

    async with bridge(server, sink):
        await sink.until_taken(1)

    assert [headers["ce-id"] for headers, _ in sink.taken] == ["id-1"]


async def test_requests_are_signed_with_the_secret_of_the_file(
    server: LocalServer, sink: Sink, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("made-up-secret\n")
    await publish(server, *events(1))

    async with bridge(server, sink, secret_file=str(tmp_path / "secret"), shape="structured"):
        await sink.until_taken(1)

    ((headers, body),) = sink.taken
    assert headers["webhook-signature"].startswith("v1,")
    assert headers["content-type"] == "application/cloudevents+json"
    assert json.loads(body)["id"] == headers["webhook-id"] == "id-0"


async def test_cdevents_arrive_as_cloudevents(server: LocalServer, sink: Sink) -> None:
    await publish(server, ("c", example(PromotionCompleted)))

    async with bridge(server, sink, shape="cdevents"):
        await sink.until_taken(1)

    ((headers, body),) = sink.taken
    assert headers["content-type"] == "application/cloudevents+json"
    assert json.loads(body)["type"] == "dev.cdevents.service.deployed.0.3.0"


async def test_settings_that_are_wrong_are_one_line(server: LocalServer, sink: Sink) -> None:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("countersign-bridge")),
        env={**os.environ, "COUNTERSIGN_BRIDGE_READER": "x", "COUNTERSIGN_BRIDGE_EVENTS": "a.b"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()

    assert process.returncode == 2
    assert b"Traceback" not in error
    assert len(error.splitlines()) == 1


async def test_chat_gets_a_line_with_a_link_for_what_waits_and_nothing_else(
    server: LocalServer, sink: Sink
) -> None:
    """The example of docs/bridge.md: an incoming webhook, and its events."""
    await publish(
        server,
        ("a", example(ApprovalBegun)),
        ("b", example(PromotionRequested)),
        ("c", example(PullRequestMerged)),
        ("d", example(PromotionCompleted)),
    )

    async with bridge(
        server,
        sink,
        shape="slack",
        events="promotion.requested,pull-request.failed,promotion.completed",
    ):
        await sink.until_taken(2)

    waits, completed = (json.loads(body) for _, body in sink.taken)
    link = "<https://board.example/p/shop/checkout/prod|Promote>"
    assert waits == {"text": f"shop/checkout 6.9.0 waits for prod: {link}"}
    assert set(completed) == {"text"}
    assert all(headers["content-type"] == "application/json" for headers, _ in sink.taken)
