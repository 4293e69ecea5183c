"""Answers only under this machine's own names, so that no foreign page can reach in (rebinding)."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class HostMiddleware:
    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._foreign(Headers(scope=scope).get("host", "")):
            refused = JSONResponse({"message": "Foreign Host header"}, status_code=421)
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _foreign(self, host: str) -> bool:
        try:
            return urlsplit(f"//{host}").hostname not in self._names
        except ValueError:
            return True
