"""Remembers which requests came: method, path and status, never query, header or body."""

from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The newest are kept; a promotion takes fewer than ten.
REQUESTS_MAX = 5_000
LOCAL = "/_local/"


class Journal:
    def __init__(self) -> None:
        self._requests: deque[dict[str, str | int]] = deque(maxlen=REQUESTS_MAX)

    def add(self, method: str, path: str, status: int) -> None:
        self._requests.append({"method": method, "path": path, "status": status})

    def requests(self) -> list[dict[str, str | int]]:
        return list(self._requests)

    def clear(self) -> None:
        self._requests.clear()


class JournalMiddleware:
    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app = app
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(LOCAL):
            await self._app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._journal.add(scope["method"], scope["path"], message["status"])
            await send(message)

        await self._app(scope, receive, noting)
