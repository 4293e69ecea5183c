"""Requests that take too long to arrive are refused: connections are few, and silence is cheap.

Answers may take as long as they like.
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from countersign.process.http.asgi import App, Receive, Scope, Send

_REFUSAL: Final = b"the request took too long to come\n"


class PromptBodies:
    """Around an application: a body that does not end in time is answered with 408.

    The application sees its client leave.
    """

    def __init__(self, app: App, *, body_s: float) -> None:
        self._app = app
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, body_s=self._body_s)
        await self._app(scope, exchange.receive, exchange.send)


class _Exchange:
    def __init__(self, receive: Receive, send: Send, *, body_s: float) -> None:
        self._receive = receive
        self._send = send
        self._due_s = asyncio.get_running_loop().time() + body_s
        self._whole = self._started = self._late = False

    async def receive(self) -> MutableMapping[str, Any]:
        if self._whole:
            return await self._receive()
        if not self._late:
            try:
                async with asyncio.timeout_at(self._due_s):
                    message = await self._receive()
            except TimeoutError:
                await self._refuse()
            else:
                self._whole = not message.get("more_body", False)
                return message
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if not self._late:
            self._started = True
            await self._send(message)

    async def _refuse(self) -> None:
        self._late = True
        if self._started:
            return
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", str(len(_REFUSAL)).encode()),
            (b"connection", b"close"),
        ]
        await self._send({"type": "http.response.start", "status": 408, "headers": headers})
        await self._send({"type": "http.response.body", "body": _REFUSAL})


def prompt_protocol(*, head_s: float) -> type[H11Protocol]:
    """Uvicorn's own, which waits for the head of a request without end."""

    class Prompt(H11Protocol):
        _due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._due = self.loop.call_later(head_s, transport.close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._asked()
            elif self._due is None:
                self._due = self.loop.call_later(head_s, self.transport.close)

        def connection_lost(self, exc: Exception | None) -> None:
            self._asked()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            """The application, which may just begin to answer, has been answered for."""
            super().send_400_response(msg)
            if self.cycle is not None:
                self.cycle.disconnected = True

        def _asked(self) -> None:
            if self._due is not None:
                self._due.cancel()
                self._due = None

    return Prompt
