"""Hints over the real bus, as Flux's `nats` provider sends them, and over a real socket."""

import asyncio
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from doubles.hinting import KEY, PATH, event, keyed_pipeline, sign
from doubles.watched import pipeline_manifest, release, write
from integration.watcher.conftest import TIMEOUT_S, Heard, Watch
from nats.aio.client import Client
from prometheus_client import REGISTRY
from reference import skip_without

from countersign.contracts import messages as m
from countersign.contracts.subjects import FLUX_HINT
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.connection import ConnectionState, close, connect

OUTCOMES = ("looked", "foreign", "repeated", "malformed", "dropped")


def counted() -> Counter[str]:
    name = "countersign_watcher_hints_total"
    found = {
        outcome: REGISTRY.get_sample_value(name, {"source": "nats", "outcome": outcome})
        for outcome in OUTCOMES
    }
    return Counter({outcome: int(value or 0) for outcome, value in found.items()})


def recorded() -> list[bytes]:
    lines = (skip_without("recordings/flux") / "events.nats.jsonl").read_text().splitlines()
    return [json.loads(line)["body"].encode() for line in lines]


@pytest.fixture
async def flux(server: LocalServer) -> AsyncIterator[Client]:
    """Connected as notification-controller would be: it may publish there, and nothing else."""
    state = ConnectionState("flux")
    client = await connect(server.settings("flux"), service="flux", state=state)
    try:
        yield client
    finally:
        await close(client, state)


async def tell(flux: Client, *bodies: bytes) -> Counter[str]:
    """What became of them."""
    before = counted()
    for body in bodies:
        await flux.publish(FLUX_HINT, body)
    await flux.flush()
    async with asyncio.timeout(TIMEOUT_S):
        while (counted() - before).total() < len(bodies):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    return counted() - before


async def test_recorded_hints_are_heard_and_promote_nothing(
    server: LocalServer, heard: Heard, watch: Watch, cluster_dir: Path, flux: Client
) -> None:
    bodies = recorded()
    about = json.loads(bodies[0])["involvedObject"]
    made = pipeline_manifest("dev", "prod")
    made["spec"]["environments"][0]["targets"] = [{"namespace": about["namespace"]}]
    write(cluster_dir / "checkout.yaml", made)
    assert server.running

    async with watch():
        await heard.until(lambda: bool(heard.of(m.PipelineObserved)))
        outcomes = await tell(flux, *bodies, b"", b"[]", b"\xff", b"{}")
        before = len(heard.events)
        # The object itself is what counts, whatever was told before.
        running = release("dev", "6.9.0")
        running["metadata"]["namespace"] = about["namespace"]
        write(cluster_dir / "dev.yaml", running)
        await heard.until(lambda: bool(heard.of(m.PromotionRequested)))

    told = sum(json.loads(b)["involvedObject"] == about for b in bodies)
    assert outcomes["malformed"] == 3
    assert outcomes["looked"] >= told
    assert outcomes["foreign"] == len(bodies) + 1 - outcomes["looked"]
    assert before == 1
    requested = [e.content.revision.recorded for e in heard.of(m.PromotionRequested)]
    assert requested == ["6.9.0"]


async def test_flood_is_dropped_and_the_watcher_goes_on(
    heard: Heard, watch: Watch, cluster_dir: Path, flux: Client
) -> None:
    write(cluster_dir / "checkout.yaml", pipeline_manifest("dev", "prod"))

    async with watch():
        await heard.until(lambda: bool(heard.of(m.PipelineObserved)))
        outcomes = await tell(flux, *[event()] * 7000)
        write(cluster_dir / "dev.yaml", release("dev", "6.9.0"))
        await heard.until(lambda: bool(heard.of(m.PromotionRequested)))

    assert outcomes["looked"] == 6000
    assert outcomes["dropped"] == 1000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_answered(client: httpx2.AsyncClient, url: str, status: int) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                if (await client.post(url, content=b"")).status_code == status:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)


async def test_hook_of_a_process_is_answered_over_a_socket(
    server: LocalServer, heard: Heard, cluster_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets" / "shop" / "key"
    folder.mkdir(parents=True)
    (folder / "hmac-key").write_text(KEY)
    write(cluster_dir / "checkout.yaml", keyed_pipeline("dev/eu", "dev", "prod"))
    port = free_port()
    variables = {
        **os.environ,
        "COUNTERSIGN_NATS_URL": server.url,
        "COUNTERSIGN_NKEY_FILE": str(server.keys_dir / "watcher.nk"),
        "COUNTERSIGN_CLUSTER_DIR": str(cluster_dir),
        "COUNTERSIGN_SECRETS_DIR": str(tmp_path / "secrets"),
        "COUNTERSIGN_WEBHOOK_PORT": str(port),
    }
    base, body = f"http://127.0.0.1:{port}", event()
    signed = {"X-Signature": sign(body)}
    encoded = event(involved={"namespace": "dev/eu-0"})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "countersign.watcher", env=variables
    )
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT_S) as client:
            await until_answered(client, f"{base}/promotion/no/such/thing", 401)
            answers: dict[str, Any] = {
                "signed": await client.post(base + PATH, content=body, headers=signed),
                "unsigned": await client.post(base + PATH, content=body),
                "encoded": await client.post(
                    f"{base}/promotion/shop/checkout/dev%2Feu",
                    content=encoded,
                    headers={"X-Signature": sign(encoded)},
                ),
                "approval": await client.post(f"{base}/approval/shop/checkout/prod/6.9.0"),
                "foreign host": await client.post(base + PATH, headers={"Host": "evil.example"}),
            }
    finally:
        process.terminate()
        code = await asyncio.wait_for(process.wait(), TIMEOUT_S)

    assert {what: answer.status_code for what, answer in answers.items()} == {
        "signed": 201,
        "unsigned": 401,
        "encoded": 201,
        "approval": 410,
        "foreign host": 421,
    }
    assert code == 0
    assert heard.of(m.PromotionRequested) == []
