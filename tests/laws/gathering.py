"""Gathers the evidence of a run: with a reader's key from the bus, from the forge as anybody may.

What the reader missed while it was not connected it reads from the stream afterwards.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import nats
from laws.evidence import Event, Evidence, Pull, Repository, event_of
from nats.aio.client import Client
from nats.aio.msg import Msg

EVENTS = "countersign.v1.>"
STREAM = "PROMOTIONS"
API = "countersign-api"
ANSWER_S_MAX = 10.0
PULLS_A_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class System:
    """The addresses of a running system, and the key of a reader."""

    bus_url: str
    reader_key: Path
    forge_api: str
    forge_token: str
    repository: str
    git: Path


@dataclass
class Listener:
    """Hears what the streams accepted, by stream and number."""

    heard: dict[tuple[str, int], Event] = field(default_factory=dict)

    async def on_message(self, message: Msg) -> None:
        headers = message.headers or {}
        if "ce-type" in headers:
            sequence = int(headers["Nats-Sequence"])
            event = event_of(headers, message.data, sequence)
            self.heard[headers["Nats-Stream"], sequence] = event


@asynccontextmanager
async def listening(system: System) -> AsyncIterator[Listener]:
    listener = Listener()
    async with _connected(system) as client:
        await client.subscribe(EVENTS, cb=listener.on_message)
        await client.flush()
        yield listener


async def gather(system: System) -> Evidence:
    events = await _stored(system)
    pulls = await _pulls(system)
    return Evidence(events=events, pulls=pulls, repository=Repository(path=system.git))


@asynccontextmanager
async def _connected(system: System) -> AsyncIterator[Client]:
    client = await nats.connect(
        system.bus_url,
        nkeys_seed=str(system.reader_key),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
        error_cb=_ignore,
    )
    try:
        yield client
    finally:
        await client.close()


async def _ignore(_: Exception) -> None:
    """Say nothing of a bus that is away: it is killed on purpose."""


async def _stored(system: System) -> tuple[Event, ...]:
    """Every message of the stream from the first to the last that it says to have."""
    async with _connected(system) as client:
        answer = await client.request(f"{API}.STREAM.INFO.{STREAM}", b"", timeout=ANSWER_S_MAX)
        state = json.loads(answer.data)["state"]
        numbers = range(max(1, state["first_seq"]), state["last_seq"] + 1)
        found = [await _message(client, number) for number in numbers]
    return tuple(event for event in found if event is not None)


async def _message(client: Client, number: int) -> Event | None:
    subject = f"{API}.DIRECT.GET.{STREAM}"
    question = json.dumps({"seq": number}).encode()
    answer = await client.request(subject, question, timeout=ANSWER_S_MAX)
    headers = answer.headers or {}
    return event_of(headers, answer.data, number) if "ce-type" in headers else None


async def _pulls(system: System) -> tuple[Pull, ...]:
    found: list[Pull] = []
    url = f"{system.forge_api}/repos/{system.repository}/pulls"
    async with httpx2.AsyncClient(trust_env=False, timeout=ANSWER_S_MAX) as client:
        for page in range(1, 100):
            answer = await client.get(
                url,
                params={"state": "all", "per_page": PULLS_A_PAGE, "page": page},
                headers={"Authorization": f"Bearer {system.forge_token}"},
            )
            answer.raise_for_status()
            items = answer.json()
            found += map(pull_of, items)
            if len(items) < PULLS_A_PAGE:
                break
    return tuple(sorted(found, key=lambda pull: pull.number))


def pull_of(item: dict[str, Any]) -> Pull:
    return Pull(
        number=item["number"],
        branch=item["head"]["ref"],
        author=item["user"]["login"],
        state=item["state"],
        merged=item["merged_at"] is not None,
        opened_s=_seconds(item["created_at"]),
        ended_s=_seconds(item["closed_at"]),
        head_commit=item["head"]["sha"],
    )


def _seconds(time: str | None) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0


async def unheard(system: System, listener: Listener) -> list[str]:
    """Tell what the reader heard and the stream does not hold, or holds otherwise."""
    heard = dict(listener.heard)
    stored = {event.sequence: event for event in await _stored(system)}
    return [
        f"{event}: the stream holds {stored.get(sequence)}"
        for (stream, sequence), event in heard.items()
        if stream == STREAM and stored.get(sequence) != event
    ]
