"""`/healthz`, `/readyz` and `/metrics` on a port of their own.

On a loopback address only requests that name a loopback host are answered, so that no web page
can read them by a name that resolves here.
"""

import asyncio
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST

from countersign.telemetry.health import Health
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import exposition
from countersign.telemetry.processes import single_error
from countersign.telemetry.settings import TelemetrySettings

log = get_logger()

_STOP_TIMEOUT_S: Final = 3
_START_TIMEOUT_S: Final = 10
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

_Scope = Mapping[str, Any]
_Send = Callable[[dict[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, Any, _Send], Awaitable[None]]
Answer = tuple[int, str, bytes]


@asynccontextmanager
async def serve_health(health: Health, settings: TelemetrySettings) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port."""
    listener = _listen(settings.health_host, settings.health_port)
    port = int(listener.getsockname()[1])
    config = uvicorn.Config(
        health_app(health, loopback=is_loopback(settings.health_host)),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        limit_concurrency=64,
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
    )
    server = _Server(config)
    # A cancelled server does not close what it was given.
    with listener, single_error():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            async with asyncio.timeout(_START_TIMEOUT_S):
                await server.ready.wait()
            log.info("health.serving", host=settings.health_host, port=port)
            try:
                yield port
            finally:
                server.should_exit = True


def health_app(health: Health, *, loopback: bool) -> _App:
    """The three pages as an ASGI application."""

    async def app(scope: _Scope, _receive: Any, send: _Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        host = headers.get("host", b"").decode("latin-1")
        if loopback and not names_loopback(host):
            status, kind, body = 421, "text/plain", b"not a loopback host\n"
        elif scope["method"] not in {"GET", "HEAD"}:
            status, kind, body = 405, "text/plain", b"read only\n"
        else:
            status, kind, body = answer(str(scope["path"]), health)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", kind.encode()),
                    (b"content-length", str(len(body)).encode()),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                ],
            }
        )
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown})

    return app


def answer(path: str, health: Health) -> Answer:
    if path == "/healthz":
        return _report(health.not_live())
    if path == "/readyz":
        return _report(health.not_ready())
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, exposition()
    return 404, "text/plain", b"/healthz, /readyz and /metrics are here\n"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_loopback(host: str) -> bool:
    """Whether a `Host` header names this machine, with any port."""
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name = host
    return name.lower() in _LOOPBACK_NAMES


def _report(reasons: dict[str, str]) -> Answer:
    body = json.dumps({"ok": not reasons, "reasons": reasons}).encode() + b"\n"
    return (503 if reasons else 200), "application/json", body


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


class _Server(uvicorn.Server):
    """Says when it answers, and leaves signals to `processes.run_until_signal`."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
