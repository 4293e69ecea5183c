"""Signed deliveries, as the watcher will receive them."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
from checked_forge import REPO
from doubles.local_forge import RunningForge, free_socket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from countersign.local.forge.serving import Server

SECRET = "a made-up webhook secret"
WAIT_S = 5


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Receiver:
    url: str
    queue: asyncio.Queue[Received]

    async def next(self, event: str) -> Received:
        async with asyncio.timeout(WAIT_S):
            while True:
                received = await self.queue.get()
                if received.headers["x-github-event"] == event:
                    return received


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    queue: asyncio.Queue[Received] = asyncio.Queue()

    async def receive(request: Request) -> Response:
        queue.put_nowait(Received(dict(request.headers), await request.body()))
        return Response(status_code=202)

    listener = free_socket()
    server = Server(Starlette(routes=[Route("/hook", receive, methods=["POST"])]), signals=False)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        await server.serving.wait()
        yield Receiver(f"http://127.0.0.1:{listener.getsockname()[1]}/hook", queue)
        server.stop()
    listener.close()


@pytest.fixture
def forge(forge: RunningForge, receiver: Receiver) -> RunningForge:
    forge.repository(REPO, writers=["ada"], webhooks=[(receiver.url, SECRET)])
    forge.commit(REPO, {"apps/prod.yaml": "version: 7\n"}, branch="change")
    return forge


async def test_a_delivery_is_signed_over_its_bytes(forge: RunningForge, receiver: Receiver) -> None:
    forge.open(REPO, head="change", by="ada")
    received = await receiver.next("pull_request")

    digest = hmac.new(SECRET.encode(), received.body, hashlib.sha256).hexdigest()
    assert received.headers["x-hub-signature-256"] == f"sha256={digest}"
    assert received.headers["x-github-delivery"]
    assert received.headers["x-github-hook-id"].isdigit()
    assert received.headers["content-type"] == "application/json"


async def test_the_life_of_a_pull_request_is_told(forge: RunningForge, receiver: Receiver) -> None:
    opened = forge.open(REPO, head="change", by="ada")
    forge.commit(REPO, {"apps/prod.yaml": "version: 8\n"}, branch="change")
    forge.merge(REPO, opened.number, by="ada")

    told = [json.loads((await receiver.next("pull_request")).body) for _ in range(3)]

    assert [one["action"] for one in told] == ["opened", "synchronize", "closed"]
    last = told[-1]["pull_request"]
    assert (last["merged"], last["merged_by"]["login"]) == (True, "ada")
    assert last["merge_commit_sha"] == forge.head(REPO)
    assert last["head"]["repo"]["id"] == told[-1]["repository"]["id"]
    assert told[-1]["sender"]["login"] == "ada"


async def test_closing_without_merging_is_told(forge: RunningForge, receiver: Receiver) -> None:
    opened = forge.open(REPO, head="change", by="ada")
    forge.close(REPO, opened.number, by="ada")
    await receiver.next("pull_request")

    told = json.loads((await receiver.next("pull_request")).body)

    assert (told["action"], told["pull_request"]["merged"]) == ("closed", False)


async def test_a_push_is_told(forge: RunningForge, receiver: Receiver) -> None:
    sha = forge.commit(REPO, {"a": "b"})
    await receiver.next("push")

    told = json.loads((await receiver.next("push")).body)

    assert (told["ref"], told["after"]) == ("refs/heads/main", sha)


async def test_a_delivery_can_be_sent_again_with_the_same_id(
    forge: RunningForge, receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    first = await receiver.next("push")
    # Deliveries go one after the other, so the first one's outcome is known by the second.
    forge.commit(REPO, {"a": "b"})
    await receiver.next("push")
    listed = (await http.get(f"{forge.origin}/_local/deliveries")).json()

    again = await http.post(f"{forge.origin}/_local/deliveries/{listed[0]['id']}/attempts")
    second = await receiver.next("push")

    assert (again.status_code, listed[0]["status"]) == (202, 202)
    assert second.headers["x-github-delivery"] == first.headers["x-github-delivery"]
    assert second.body == first.body
