"""A stored token reaches its forge in the form that the forge takes."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from doubles import stories

from countersign.contracts import messages as m
from countersign.contracts.forge_list import Forge
from countersign.dialects.exchange import Request
from countersign.pr_writer.executor.executing import Executor, is_quoted, written_as
from countersign.pr_writer.jobs.model import Access, FollowJob, SecretSource

TOKEN = "made-up-token-of-a-service-account"


@dataclass
class Wire:
    """An HTTP server that keeps what was sent as authorization."""

    seen: list[str] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        self.seen.append({k.lower(): v for k, v in fields.items()}.get("authorization", ""))
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def executor_at(kind: str, folder: Path, *, wire: Wire) -> AsyncIterator[Executor]:
    server = await asyncio.start_server(wire.answer, "127.0.0.1", 0)
    async with server:
        origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        forge = Forge.model_validate(
            {
                "name": "Ours",
                "kind": kind,
                "origin": origin,
                "api": f"{origin}/api",
                "repositories": {"shop": ["*/*"]},
            }
        )
        request = stories.requested().model_copy(
            update={
                "mode": m.CredentialMode.STORED,
                "secret": m.SecretRef(namespace="shop", name="fleet"),
            }
        )
        access = Access(
            mode=m.CredentialMode.STORED, forge=forge, secrets=SecretSource(folder=str(folder))
        )
        job = FollowJob(request=request, attempt=1, access=access, number=7)
        nobody = cast("Any", None)
        executor = Executor(job, nobody, nobody, tls=ssl.create_default_context())
        try:
            yield executor
        finally:
            await executor._http.close()


def store(folder: Path, **keys: str) -> None:
    secret = folder / "shop" / "fleet"
    secret.mkdir(parents=True)
    for key, value in keys.items():
        (secret / key).write_text(value)


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{TOKEN}".encode()).decode()


@pytest.mark.parametrize(
    ("kind", "keys", "expected"),
    [
        ("azure-devops", {"username": "deploy@example.org"}, basic("deploy@example.org")),
        ("azure-devops", {}, basic("")),
        ("bitbucket-cloud", {"username": "deploy@example.org\n"}, basic("deploy@example.org")),
        ("gitea", {"username": "deploy"}, f"Bearer {TOKEN}"),
        ("github", {"username": "deploy"}, f"Bearer {TOKEN}"),
    ],
)
async def test_stored_token_is_sent_with_its_name_where_the_forge_wants_one(
    tmp_path: Path, kind: str, keys: dict[str, str], expected: str
) -> None:
    wire = Wire()
    store(tmp_path, token=TOKEN, **keys)

    async with executor_at(kind, tmp_path, wire=wire) as executor, executor._token() as token:
        await executor._http.send(Request(name="ask", method="GET", url="/thing"), token)
        quoted = expected.partition(" ")[2].encode()
        is_seen = is_quoted(written_as(token), b'"echo: ' + quoted + b'"')

    assert wire.seen == [expected]
    assert is_seen
