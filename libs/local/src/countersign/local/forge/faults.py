"""Makes the forge misbehave on demand: slow, limited, broken, cut off, talking HTML."""

import asyncio
import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from countersign.local.forge.state.service import Switches

RULES_MAX = 100
LATENCY_MS_MAX = 60_000
FAILURE_FROM = 400
LOCAL = "/_local/"
HTML = b"<!doctype html><html><body><h1>Sign in to continue</h1></body></html>"


class Fault(BaseModel):
    """One rule: to which requests it applies, how often, and what happens to them."""

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    path: str = Field(default="*", description="pattern with * and ?")
    contains: str = Field(default="", description="text that the request's body must hold")
    skip: int = Field(default=0, ge=0, description="requests that pass before the first is hit")
    count: int = Field(default=0, ge=0, description="how many requests; 0 is all")
    latency_ms: int = Field(default=0, ge=0, le=LATENCY_MS_MAX)
    status: int = Field(default=0, ge=0, le=599, description="answer this instead")
    retry_after_s: int | None = None
    secondary: bool = Field(default=False, description="words of the secondary rate limit")
    html: bool = Field(default=False, description="answer 200 with a page instead of JSON")
    cut: bool = Field(default=False, description="do it, then break off in mid-answer")
    effect_after_ms: int = Field(
        default=0, ge=0, le=LATENCY_MS_MAX, description="answer 504, and do it so much later"
    )
    drop_after_success: bool = Field(default=False, description="do it, then answer 502")

    def applies(self, method: str, path: str, body: bytes) -> bool:
        return (
            self.method in ("*", method)
            and fnmatchcase(path, self.path)
            and self.contains.encode() in body
        )


class FaultPlan(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[Fault] = Field(default=[], max_length=RULES_MAX)
    duplicates: Literal["refuse", "allow"] = "refuse"


@dataclass
class _Armed:
    fault: Fault
    seen: int = 0

    def hit(self) -> bool:
        """Count a matching request; whether this one is to be hit."""
        self.seen += 1
        after, limit = self.seen - self.fault.skip, self.fault.count
        return after > 0 and (limit == 0 or after <= limit)


def parse_plan(body: bytes) -> FaultPlan:
    """A plan, or one rule alone with `duplicates` beside it.

    Raises:
        ValueError: with the place of the mistake.

    """
    parsed: Any = json.loads(body or b"{}")
    if isinstance(parsed, dict) and "rules" not in parsed:
        duplicates = parsed.pop("duplicates", "refuse")
        parsed = {"rules": [parsed] if parsed else [], "duplicates": duplicates}
    try:
        return FaultPlan.model_validate(parsed)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}") from error


class Faults:
    """The plan that is in force."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._armed: list[_Armed] = []
        self.plan = FaultPlan()

    def set(self, plan: FaultPlan) -> None:
        self.plan = plan
        self._armed = [_Armed(fault) for fault in plan.rules]
        self._switches.allow_duplicates = plan.duplicates == "allow"

    def match(self, method: str, path: str, body: bytes) -> Fault | None:
        for armed in self._armed:
            if armed.fault.applies(method, path, body) and armed.hit():
                return armed.fault
        return None

    @property
    def reads_bodies(self) -> bool:
        return any(armed.fault.contains or armed.fault.effect_after_ms for armed in self._armed)


class FaultMiddleware:
    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(LOCAL):
            await self._app(scope, receive, send)
            return
        messages = await _messages(receive) if self._faults.reads_bodies else []
        body = b"".join(message.get("body", b"") for message in messages)
        fault = self._faults.match(scope["method"], scope["path"], body)
        replayed = _replay(messages, receive) if messages else receive
        if fault is None:
            await self._app(scope, replayed, send)
            return
        await asyncio.sleep(fault.latency_ms / 1_000)
        if fault.effect_after_ms:
            self._do_later(fault, scope, replayed)
            await _answer(send, 504, b"<html>504</html>", {"content-type": "text/html"})
        elif fault.status or fault.html:
            await _answer_instead(fault, send)
        elif fault.cut or fault.drop_after_success:
            answered: list[Message] = []
            await self._app(scope, replayed, _collector(answered))
            await _spoil(fault, answered, send)
        else:
            await self._app(scope, replayed, send)

    def _do_later(self, fault: Fault, scope: Scope, receive: Receive) -> None:
        """Have it done although nobody waits for it any more."""

        async def do() -> None:
            await asyncio.sleep(fault.effect_after_ms / 1_000)
            await self._app(scope, receive, _collector([]))

        task = asyncio.create_task(do())
        self._late.add(task)
        task.add_done_callback(self._late.discard)


async def _messages(receive: Receive) -> list[Message]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = list(messages)

    async def replay() -> Message:
        return waiting.pop(0) if waiting else await receive()

    return replay


def _collector(answered: list[Message]) -> Send:
    async def collect(message: Message) -> None:
        answered.append(message)

    return collect


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def _answer_instead(fault: Fault, send: Send) -> None:
    if fault.html:
        await _answer(send, fault.status or 200, HTML, {"content-type": "text/html"})
        return
    message = f"Fault switched on: {fault.status}"
    if fault.secondary:
        message = "You have exceeded a secondary rate limit. Please wait a few minutes."
    elif fault.status == 429:  # noqa: PLR2004 - Too Many Requests
        message = "API rate limit exceeded"
    headers = {"content-type": "application/json; charset=utf-8"}
    if fault.retry_after_s is not None:
        headers["retry-after"] = str(fault.retry_after_s)
    if not fault.secondary and fault.status in (403, 429):
        headers["x-ratelimit-remaining"] = "0"
    body = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    content = json.dumps(body | {"status": str(fault.status)}).encode()
    await _answer(send, fault.status, content, headers)


async def _spoil(fault: Fault, answered: list[Message], send: Send) -> None:
    """Hide what was done: behind a gateway's error, or behind a broken connection."""
    start, *rest = answered
    body = b"".join(message.get("body", b"") for message in rest)
    if start["status"] >= FAILURE_FROM:
        await send(start)
        await send({"type": "http.response.body", "body": body})
    elif fault.drop_after_success:
        await _answer(send, 502, b"<html>502 Bad Gateway</html>", {"content-type": "text/html"})
    else:
        await send(start)
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )
