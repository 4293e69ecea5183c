"""A forge's HTTP, as an ASGI application: what came, and what is answered."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, Protocol
from urllib.parse import parse_qs

from doubles.forge.state import Repository, SmallForge

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Call:
    """`path` as it was sent, with its escapes."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Traffic:
    """Bytes of one exchange, addresses and bodies without headers."""

    sent: int
    received: int


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    raw: bytes | None = None
    content_type: str = "application/json;charset=utf-8"

    @property
    def content(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.text is not None:
            return self.text.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()


class RefusedError(Exception):
    """What a route answers instead."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(body)
        self.reply = Reply(status, body)


class SignIn(Protocol):
    """Where people consent, and codes become tokens."""

    def answer(self, call: Call) -> Reply | None:
        """Return none where that is no address of its own."""
        ...


class ForgeApi:
    """Serve it, or hand it to a transport.

    `calls` are what came, and `api_calls` those that had nothing to do with signing in.
    """

    def __init__(self, forge: SmallForge, oauth: SignIn | None = None) -> None:
        self.forge = forge
        self.oauth = oauth
        self.calls: list[Call] = []
        self.api_calls: list[Call] = []
        self.traffic: list[Traffic] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        call = await _read(scope, receive)
        self.calls.append(call)
        signed_in = self.oauth.answer(call) if self.oauth else None
        if signed_in is None:
            self.api_calls.append(call)
        reply = signed_in or self._answered(call)
        self.traffic.append(Traffic(len(call.path) + len(call.body), len(reply.content)))
        date = format_datetime(self.forge.clock(), usegmt=True)
        headers = [("content-type", reply.content_type), ("date", date), *reply.headers]
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [(k.encode(), v.encode()) for k, v in headers],
            }
        )
        await send({"type": "http.response.body", "body": reply.content})

    def repository_id(self, repository: Repository) -> str:
        """As this kind of forge has it."""
        return str(repository.id)

    def _answered(self, call: Call) -> Reply:
        try:
            return self.answer(call)
        except RefusedError as error:
            return error.reply

    def answer(self, call: Call) -> Reply:
        raise NotImplementedError


async def _live(receive: Receive, send: Send) -> None:
    """Start and end with the server."""
    for step in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{step}"
        await send({"type": f"lifespan.{step}.complete"})


async def _read(scope: dict[str, Any], receive: Receive) -> Call:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    return Call(
        method=scope["method"],
        path=raw.decode().partition("?")[0],
        query={name: values[-1] for name, values in query.items()},
        headers={name.decode().lower(): value.decode() for name, value in scope["headers"]},
        body=body,
    )
