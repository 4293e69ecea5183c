"""The watcher as a process: it starts, says what is wrong, takes webhooks and stops."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from doubles.watched import pipeline_manifest, release, write
from doubles.webhook_senders import SENDERS, Sender, signing_token

from countersign.contracts import messages as m
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.bus import Bus

TIMEOUT_S = 20.0
COMMAND = [sys.executable, "-m", "countersign.watcher"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(server: LocalServer, cluster_dir: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "COUNTERSIGN_NATS_URL": server.url,
        "COUNTERSIGN_NKEY_FILE": str(server.keys_dir / "watcher.nk"),
        "COUNTERSIGN_CLUSTER_DIR": str(cluster_dir),
        **more,
    }


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "COUNTERSIGN_KUBE_URL is needed, or COUNTERSIGN_CLUSTER_DIR"),
        ({"COUNTERSIGN_CLUSTER_DIR": "/nowhere"}, "there is no folder '/nowhere'"),
        ({"COUNTERSIGN_CLUSTER_DIR": "/", "COUNTERSIGN_FORGES_FILE": "/nowhere"}, "no file"),
    ],
)
def test_bad_settings_are_one_clear_line(variables: dict[str, str], says: str) -> None:
    plain = {k: v for k, v in os.environ.items() if not k.startswith("COUNTERSIGN_")}

    done = subprocess.run(
        COMMAND, env={**plain, **variables}, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


async def ready(port: int) -> None:
    async with asyncio.timeout(TIMEOUT_S), httpx2.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)


# Signed over the body, over id, time and body, and not signed.
TOLD_BY = [s for s in SENDERS if s.name in {"gitea", "gitlab", "azure-devops"}]


@pytest.mark.parametrize("sender", TOLD_BY, ids=lambda sender: sender.name)
async def test_merge_told_by_a_webhook_is_published_in_the_promotions_trace(
    *,
    server: LocalServer,
    heard: Any,
    writer: Bus,
    cluster_dir: Path,
    tmp_path: Path,
    sender: Sender,
) -> None:
    (tmp_path / "key").write_text(sender.secret)
    forge = {
        "name": "Our Forge",
        "kind": sender.kind,
        "origin": "https://github.com",
        "webhookSecretFile": str(tmp_path / "key"),
    }
    (tmp_path / "forges.yaml").write_text(yaml.safe_dump({"forges": [forge]}))
    write(cluster_dir / "checkout.yaml", pipeline_manifest("dev", "prod"))
    write(cluster_dir / "dev.yaml", release("dev", "6.9.0"))
    health, hook = free_port(), free_port()
    variables = environment(
        server,
        cluster_dir,
        COUNTERSIGN_FORGES_FILE=str(tmp_path / "forges.yaml"),
        COUNTERSIGN_HEALTH_PORT=str(health),
        COUNTERSIGN_WEBHOOK_PORT=str(hook),
    )
    process = await asyncio.create_subprocess_exec(*COMMAND, env=variables)
    try:
        await ready(health)
        await heard.until(lambda: bool(heard.of(m.PromotionRequested)))
        request = heard.of(m.PromotionRequested)[0]
        await open_pull_request(writer, request, repository_id=sender.repository_id)
        await heard.until(lambda: bool(heard.of(m.PullRequestOpened)))
        answer = await tell(hook, sender)
        await heard.until(lambda: bool(heard.of(m.PullRequestMerged)))
    finally:
        process.terminate()
        code = await asyncio.wait_for(process.wait(), TIMEOUT_S)

    assert answer == 202
    assert code == 0
    assert heard.of(m.PullRequestMerged)[0].by == sender.by
    traces = {
        type(r.message): r.headers["traceparent"].split("-")[1]
        for r in heard.events
        if isinstance(r.message, m.PromotionRequested | m.PullRequestMerged)
    }
    assert len(set(traces.values())) == 1


async def open_pull_request(bus: Bus, request: m.PromotionRequested, *, repository_id: str) -> None:
    ref = m.PullRequestRef(
        origin=request.destination.origin,
        repository_id=repository_id,
        head_repository_id=repository_id,
        head_branch="countersign/x",
        owner="shop",
        repository="gitops",
        number=7,
    )
    event = m.PullRequestOpened(promotion=request.promotion, pull_request=ref)
    await bus.publish(event, message_id="opened")


async def tell(port: int, sender: Sender) -> int:
    headers, body = sender.send(merged=True)
    if sender.prove is signing_token:
        headers |= signing_token(body, sender.secret, now_s=int(time.time()))
    async with httpx2.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}/webhooks/our-forge"
        return (await client.post(url, content=body, headers=headers)).status_code
