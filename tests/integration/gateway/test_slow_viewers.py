"""A page is open at a viewer who does not read what it is sent."""

import asyncio
import contextlib
import gc
import re
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
from unit.gateway.browsing import form_token
from unit.gateway.doubles import Scene
from unit.gateway.serving import scene_on_a_port, serving
from unit.gateway.stories import Pipeline

from countersign.gateway.interfaces import FeedStatus
from countersign.gateway.live.hub import LAST, QUEUE_MESSAGES_MAX, Client
from countersign.gateway.live.rendition import View
from countersign.process.http import listening
from countersign.process.http.listening import cut_off_unread, listen

PATIENCE_S = 60.0
PIPELINES = 40
# What the kernel keeps for who does not read is as much as four megabytes, each way.
CHANGES_MAX = 2_000
BOARD = "/events?view=board"
CONNECTIONS = Path("/proc/net/tcp")
ESTABLISHED = "01"
VERSION = re.compile(r"9\.\d+\.0")
UNREAD_S = 1.0


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made, listener = scene_on_a_port()
    cut_off_unread(listener, after_s=UNREAD_S)
    change(made, 0)
    async with serving(made, listener):
        yield made


def change(scene: Scene, number: int) -> None:
    for name in range(PIPELINES):
        pipeline = Pipeline(f"service-{name:02}")
        scene.tell(pipeline.observed(pipeline.environment("prod", f"9.{number}.0", gate=None)))


@contextlib.asynccontextmanager
async def signed_in(scene: Scene, person: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=scene.public_url, timeout=PATIENCE_S) as client:
        token = form_token((await client.get("/sign-in")).text)
        await client.post("/sign-in", data={"form_token": token, "person": person})
        yield client


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - neither a kernel nor a hub tells
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def reading(scene: Scene) -> AsyncIterator[set[str]]:
    """Somebody who reads at once; the versions that were shown."""
    seen: set[str] = set()

    async def read(client: httpx2.AsyncClient) -> None:
        async with client.stream("GET", BOARD) as stream:
            async for line in stream.aiter_lines():
                seen.update(VERSION.findall(line))

    async with signed_in(scene, "grace") as client, asyncio.TaskGroup() as tasks:
        task = tasks.create_task(read(client))
        await until(lambda: len(scene.hub) == 1)
        yield seen
        task.cancel()


@contextlib.asynccontextmanager
async def stalled(scene: Scene, cookies: httpx2.Cookies) -> AsyncIterator[socket.socket]:
    """A viewer whose connection is open, and who reads nothing of it."""
    port = httpx2.URL(scene.public_url).port
    with socket.socket() as viewer:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.settimeout(0)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(viewer, ("127.0.0.1", port))
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        head = f"GET {BOARD} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncookie: {cookie}\r\n\r\n"
        await loop.sock_sendall(viewer, head.encode())
        yield viewer


def is_held(viewer: socket.socket, scene: Scene) -> bool:
    """Tell whether the server still has its end of the connection."""
    theirs, ours = httpx2.URL(scene.public_url).port, viewer.getsockname()[1]
    ends = [f"0100007F:{port:04X}" for port in (theirs, ours)]
    rows = (line.split() for line in CONNECTIONS.read_text().splitlines()[1:])
    return any(row[1:3] == ends and row[3] == ESTABLISHED for row in rows)


def clients() -> int:
    gc.collect()
    return sum(isinstance(one, Client) for one in gc.get_objects())


async def test_who_reads_nothing_is_cut_off_and_forgotten_while_others_go_on(scene: Scene) -> None:
    before = clients()
    async with (
        reading(scene) as seen,
        signed_in(scene, "ada") as idler,
        stalled(scene, idler.cookies) as viewer,
    ):
        await until(lambda: len(scene.hub) == 2)
        assert is_held(viewer, scene)

        number = 0
        while len(scene.hub) > 1:
            number += 1
            assert number < CHANGES_MAX
            change(scene, number)
            await until(lambda n=number: f"9.{n}.0" in seen)
        await until(lambda: not is_held(viewer, scene))

        change(scene, CHANGES_MAX)
        await until(lambda: f"9.{CHANGES_MAX}.0" in seen)
        # Of the two, the one that reads is left.
        assert clients() == before + 1


def test_services_listen_so() -> None:
    with listen("127.0.0.1", 0) as listener:
        said = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert said == listening.UNREAD_S * 1000


async def test_queue_of_who_is_not_fetched_for_is_bounded_and_emptied(scene: Scene) -> None:
    person = scene.people[0]
    lazy, eager = (
        Client(view=View(), person=person, audience="", session_id=name, form_token="")
        for name in ("lazy", "eager")
    )
    for client in (lazy, eager):
        scene.hub.join(client, since=None)
    given = 0
    for number in range(QUEUE_MESSAGES_MAX + 2):
        scene.hub.show_status(FeedStatus(caught_up=True, connected=bool(number % 2), lost_at=None))
        await eager.queue.get()
        given += 1

    assert given == QUEUE_MESSAGES_MAX + 2
    assert (lazy.is_gone, lazy.queue.qsize(), lazy.queue.get_nowait()) == (True, 1, LAST)
    assert (eager.is_gone, len(scene.hub)) == (False, 1)
