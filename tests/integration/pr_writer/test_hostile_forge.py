"""A listed forge that answers with what should hurt us, through real executors."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from doubles.pr_writer_stage import Runner, Story

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import FailureReason
from countersign.contracts.secret import Secret
from countersign.pr_writer.jobs.model import OpenJob

TOKEN = "ghs_madeUpTokenForAHostileForge0123456789"
Answering = Callable[[bytes], AbstractAsyncContextManager[OpenJob]]


@pytest.fixture
def answering(story: Story) -> Answering:
    """A job at a forge that answers everything with these bytes."""

    @asynccontextmanager
    async def run(answer: bytes) -> AsyncIterator[OpenJob]:
        async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(on_connection, "localhost", 0) as server:
            origin = f"http://localhost:{server.sockets[0].getsockname()[1]}"
            story.store(Secret(TOKEN))
            story.entry = Forge(
                name="Forge", kind="github", origin=origin, repositories={"apps": ("acme/*",)}
            )
            job = story.job()
            to = job.request.destination.model_copy(update={"origin": origin})
            request = job.request.model_copy(update={"destination": to})
            yield story.job(request)

    return run


def as_json(body: object) -> bytes:
    text = json.dumps(body).replace("ghs_", "\\u0067hs_").encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}"
    return head.encode() + b"\r\nconnection: close\r\n\r\n" + text


def repository(login: str) -> dict[str, object]:
    tip = {
        "oid": "a" * 40,
        "committedDate": "2026-01-01T00:00:00Z",
        "tree": {"oid": "b" * 40},
        "parents": {"nodes": []},
    }
    return {
        "viewer": {"login": login, "databaseId": 1},
        "repository": {
            "id": "R",
            "databaseId": 5,
            "isArchived": False,
            "viewerPermission": "WRITE",
            "base": {"target": tip},
            "head": None,
            "pullRequests": {"pageInfo": {"hasNextPage": False}, "nodes": []},
            "open": {"pageInfo": {"hasNextPage": False}, "nodes": []},
        },
    }


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"errors": [{"type": "X", "message": f"bad {TOKEN}"}]}, id="a sentence"),
        pytest.param(
            {"errors": [{"type": "X", "message": "x" * 170 + TOKEN}]}, id="a sentence that is cut"
        ),
        pytest.param({"data": repository(login=TOKEN)}, id="a name"),
    ],
)
async def test_token_that_the_forge_writes_back_differently_is_told_to_nobody(
    answering: Answering, runner: Runner, body: object
) -> None:
    async with answering(as_json(body)) as job:
        outcome = await runner.fail(job)

    told = outcome.model_dump_json() + "".join(p.model_dump_json() for p in runner.told)
    assert outcome.reason is FailureReason.BAD_ANSWER
    assert TOKEN[-20:] not in told
    assert TOKEN[:20] not in told
