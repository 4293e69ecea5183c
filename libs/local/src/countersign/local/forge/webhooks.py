"""Tells those who asked: signed POSTs of pushes and pull requests, one after the other.

Like GitHub, a delivery that failed is not tried again by itself, only when asked for.
Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import asyncio
import hashlib
import hmac
import json
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any

import httpx2

from countersign.local.forge.state.model import Hook, Repository

DELIVERY_TIMEOUT_S = 10.0
# What waits and what is remembered for being sent again; the oldest go first.
QUEUED_MAX = 1_000
REMEMBERED_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Delivery:
    id: str
    hook: Hook
    repository: Repository
    event: str
    body: bytes

    def headers(self) -> dict[str, str]:
        made = {
            "content-type": "application/json",
            "user-agent": "GitHub-Hookshot/local",
            "x-github-event": self.event,
            "x-github-delivery": self.id,
            "x-github-hook-id": str(self.hook.id),
            "x-github-hook-installation-target-type": "repository",
            "x-github-hook-installation-target-id": str(self.repository.id),
        }
        if self.hook.secret:
            made["x-hub-signature-256"] = "sha256=" + signature(self.hook.secret, self.body)
        return made


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a delivery: the status it was answered with, 0 when nobody answered."""

    delivery: Delivery
    status: int


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    def __init__(self) -> None:
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue(QUEUED_MAX)
        self._outcomes: deque[Outcome] = deque(maxlen=REMEMBERED_MAX)

    def emit(self, repository: Repository, event: str, payload: dict[str, Any]) -> None:
        for hook in repository.hooks:
            body = json.dumps({**payload, "hook_id": hook.id}).encode()
            self._enqueue(
                Delivery(
                    id=str(uuid.uuid4()), hook=hook, repository=repository, event=event, body=body
                )
            )

    def _enqueue(self, delivery: Delivery) -> None:
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(delivery)

    def outcomes(self) -> list[Outcome]:
        return list(self._outcomes)

    def redeliver(self, delivery_id: str) -> bool:
        """Send a remembered delivery once more, with the same id as GitHub does."""
        for outcome in reversed(self._outcomes):
            if outcome.delivery.id == delivery_id:
                self._enqueue(outcome.delivery)
                return True
        return False

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with httpx2.AsyncClient(timeout=DELIVERY_TIMEOUT_S, trust_env=False) as client:
            while True:
                delivery = await self._queue.get()
                status = await _deliver(client, delivery)
                self._outcomes.append(Outcome(delivery=delivery, status=status))


async def _deliver(client: httpx2.AsyncClient, delivery: Delivery) -> int:
    try:
        answer = await client.post(
            delivery.hook.url, content=delivery.body, headers=delivery.headers()
        )
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return 0
    return answer.status_code
