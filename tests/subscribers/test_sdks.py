"""CloudEvents' own SDKs read every event as it comes from the bus."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from subscribers.conftest import HERE, READER, SOURCE, example, publish

from countersign.contracts.messages import EVENTS
from countersign.contracts.wire import cloud_events
from countersign.messaging.administration.local_server import LocalServer
from countersign.telemetry.tracing import span

pytestmark = pytest.mark.timeout(900)
READ_S_MAX = 60


@pytest.fixture
async def messages(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a reader hears of one event of each kind: headers and body."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider(shutdown_on_exit=False))
    found: list[dict[str, Any]] = []
    complete = asyncio.Event()

    async def on_message(message: Any) -> None:
        found.append({"headers": dict(message.headers), "body": message.data.decode()})
        if len(found) == len(EVENTS):
            complete.set()

    client = Client()
    await client.connect(server.url, nkeys_seed=str(server.readers_dir / f"{READER}.nk"))
    try:
        await client.subscribe("countersign.v1.>", cb=on_message)
        await client.flush()
        with span("test"):
            await publish(server, *((model.__name__, example(model)) for model in EVENTS))
        async with asyncio.timeout(READ_S_MAX):
            await complete.wait()
    finally:
        await client.close()
    return found


@pytest.fixture(params=["go", "javascript", "python"])
def sdk(request: pytest.FixtureRequest) -> tuple[str | Path, ...]:
    """The command that reads events with the SDK of a language."""
    build: Callable[[Path | str, str], Path]
    if request.param == "go":
        build = request.getfixturevalue("go_build")
        return (build("./sdk", "sdk"),)
    if request.param == "javascript":
        request.getfixturevalue("node_modules")
        return ("node", HERE / "sdk/read.mjs")
    return (sys.executable, HERE / "sdk/read.py")


async def test_sdk_reads_every_event(
    messages: list[dict[str, Any]], sdk: tuple[str | Path, ...]
) -> None:
    lines = "".join(json.dumps(message) + "\n" for message in messages)

    read = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
        sdk, input=lines, text=True, capture_output=True, timeout=READ_S_MAX, check=False
    )

    assert read.returncode == 0, read.stderr
    told = {line["id"]: line for line in map(json.loads, read.stdout.splitlines())}
    by_id = {message["headers"]["ce-id"]: message for message in messages}
    assert set(told) == set(by_id) == {model.__name__ for model in EVENTS}
    for model in EVENTS:
        line, message = told[model.__name__], by_id[model.__name__]
        at = datetime.fromisoformat(line.pop("time"))
        assert at == datetime.fromisoformat(message["headers"]["ce-time"])
        assert line == {
            "id": model.__name__,
            "source": SOURCE,
            "type": cloud_events.event_type(model),
            "subject": cloud_events.event_about(example(model)),
            "datacontenttype": "application/json",
            "dataschema": cloud_events.schema_id(model.__name__),
            "traceparent": message["headers"]["traceparent"],
            "data": json.loads(message["body"]),
        }
