"""Merge webhook → `pull-request.merged` on the bus.

The watcher runs as its own process on a real bus; this one says which pull requests were opened,
sends the forge's signed webhooks over HTTP, and hears the stream.
Run: `python tests/bench/merging.py [PULL_REQUESTS]`.
"""

import asyncio
import hashlib
import hmac
import json
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.watching import Ear, free_port, is_ready, lay, scene, watcher

from countersign.contracts.identity import head_branch
from countersign.contracts.messages import (
    ForgeUser,
    PromotionRequested,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestRef,
)
from countersign.messaging.bus import Bus, Received, open_bus
from countersign.messaging.projections.follower import follow
from countersign.process.health import Health

PULL_REQUESTS = 100
REPOSITORY = 55
KEY = "made-up-webhook-key"
AT_ONCE = 20


class MergeEar(Ear):
    """Notes also when a merge was told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[PromotionRequested] = []
        self.merged: dict[int, float] = {}

    def note(self, received: Received) -> None:
        event = received.message
        if isinstance(event, PromotionRequested):
            self.asked.append(event)
        elif isinstance(event, PullRequestMerged):
            self.merged[event.pull_request.number] = time.perf_counter()
        super().note(received)


def pull_request(event: PromotionRequested, number: int) -> PullRequestOpened:
    to = event.destination
    return PullRequestOpened(
        promotion=event.promotion,
        pull_request=PullRequestRef(
            kind=to.kind,
            origin=to.origin,
            owner=to.owner,
            repository=to.repository,
            repository_id=str(REPOSITORY),
            head_repository_id=str(REPOSITORY),
            number=number,
            head_branch=head_branch(event, attempt=1),
        ),
        author=ForgeUser(id="1001", login="ada"),
        opened_at=datetime.now(UTC),
    )


def news(opened: PullRequestOpened) -> bytes:
    """What GitHub sends of a merge, in the parts that are read."""
    ref = opened.pull_request
    pull = {
        "number": ref.number,
        "merged": True,
        "merged_at": datetime.now(UTC).isoformat(),
        "merge_commit_sha": "c" * 40,
        "merged_by": {"id": 1001, "login": "ada"},
        "head": {"ref": ref.head_branch, "repo": {"id": REPOSITORY}},
    }
    payload = {"action": "closed", "repository": {"id": REPOSITORY}, "pull_request": pull}
    return json.dumps(payload).encode()


async def merge(client: httpx2.AsyncClient, opened: PullRequestOpened) -> float:
    """When it was sent."""
    body = news(opened)
    digest = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature-256": f"sha256={digest}",
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": f"delivery-{opened.pull_request.number}",
    }
    sent = time.perf_counter()
    answer = await client.post("/webhooks/forge", content=body, headers=headers)
    if answer.text != "merged\n":
        raise SystemExit(f"webhook of #{opened.pull_request.number}: {answer.text!r}")
    return sent


async def open_all(bus: Bus, ear: MergeEar) -> list[PullRequestOpened]:
    opened = [pull_request(event, n) for n, event in enumerate(ear.asked, start=1)]
    for event in opened:
        await bus.publish(event, message_id=f"{event.promotion.promotion_id}.opened")
    await asyncio.sleep(2)
    return opened


async def merge_all(ear: MergeEar, opened: list[PullRequestOpened], port: int) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        half = len(opened) // 2
        alone: list[float] = []
        for event in opened[:half]:
            sent = await merge(client, event)
            await ear.until(len(alone) + 1, ear.merged)
            alone.append(ear.merged[event.pull_request.number] - sent)
        crowded: list[float] = []
        for first in range(half, len(opened), AT_ONCE):
            group = opened[first : first + AT_ONCE]
            sent_at = await asyncio.gather(*(merge(client, event) for event in group))
            await ear.until(first + len(group), ear.merged)
            numbers = [event.pull_request.number for event in group]
            crowded += [ear.merged[n] - sent for n, sent in zip(numbers, sent_at, strict=True)]
    report("one after another", alone)
    report(f"{AT_ONCE} at once", crowded)


def report(name: str, taken_s: list[float]) -> None:
    found = sorted(1000 * taken for taken in taken_s)
    p99 = found[min(len(found) - 1, int(len(found) * 0.99))]
    print(
        f"merge webhook -> event, {name:<18} n={len(found):<4} "
        f"p50 {statistics.median(found):6.1f} ms   p99 {p99:6.1f} ms (goal 250 ms)"
    )


def forges_file(folder: Path) -> Path:
    key, file = folder / "webhook.key", folder / "forges.yaml"
    key.write_text(KEY)
    forge = {"name": "Forge", "kind": "github", "origin": "https://github.com"}
    file.write_text(json.dumps({"forges": [{**forge, "webhookSecretFile": str(key)}]}))
    return file


async def main(count: int) -> None:
    async with scene() as (root, server):
        for number in range(count):
            lay(root, number)
        ear, port = MergeEar(), free_port()
        more = {
            "COUNTERSIGN_FORGES_FILE": str(forges_file(root.parent)),
            "COUNTERSIGN_WEBHOOK_PORT": str(port),
        }
        async with (
            open_bus(server.settings("gateway"), service="gateway", health=Health()) as bus,
            open_bus(server.settings("pr-writer"), service="pr-writer", health=Health()) as writer,
        ):
            job = asyncio.create_task(
                follow(bus, streams=("PROMOTIONS", "PIPELINES"), apply=ear.note)
            )
            async with watcher(server, root, **more) as (_, health_port):
                await is_ready(health_port)
                await ear.until(count, ear.observed)
                for number in range(count):
                    lay(root, number, dev="6.9.0")
                await ear.until(count, ear.requested)
                await merge_all(ear, await open_all(writer, ear), port)
            job.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else PULL_REQUESTS))
