"""`/healthz`, `/readyz` and `/metrics` on a port of their own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics

from countersign.process.health import Health
from countersign.process.http.asgi import App, Receive, Scope, Send
from countersign.process.http.listening import LoopbackHosts, listen, serve
from countersign.process.http.loopback import is_loopback
from countersign.process.processes import single_error
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import exposition, gauge
from countersign.telemetry.settings import TelemetrySettings

log = get_logger()

CONNECTIONS_MAX: Final = 64
_OPENMETRICS: Final = "application/openmetrics-text"
READY: Final = gauge("ready", "1 while it is ready for work, as /readyz says.")
Answer = tuple[int, str, bytes]


@asynccontextmanager
async def serve_health(health: Health, settings: TelemetrySettings) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port.

    Raises:
        Rejected: `address`.

    """
    listener = listen(settings.health_host, settings.health_port)
    port = int(listener.getsockname()[1])
    app = health_app(health)
    if is_loopback(settings.health_host):
        app = LoopbackHosts(app)
    # Closed here too: a block may end before its server began.
    with listener, single_error():
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(serve(app, listener, connections_max=CONNECTIONS_MAX))
            log.info("health.serving", host=settings.health_host, port=port)
            try:
                yield port
            finally:
                serving.cancel()


def health_app(health: Health) -> App:
    """The three pages as an ASGI application."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] in {"GET", "HEAD"}:
            status, kind, body = answer(str(scope["path"]), health, accept=_accept(scope))
        else:
            status, kind, body = 405, "text/plain", b"read only\n"
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown})

    return app


def answer(path: str, health: Health, *, accept: str = "") -> Answer:
    if path == "/healthz":
        return _report(health.not_live())
    if path == "/readyz":
        return _report(health.not_ready())
    if path == "/metrics":
        READY.labels().set(0 if health.not_ready() else 1)
        if _OPENMETRICS in accept:
            return 200, openmetrics.CONTENT_TYPE_LATEST, exposition(with_exemplars=True)
        return 200, CONTENT_TYPE_PLAIN_0_0_4, exposition()
    return 404, "text/plain", b"/healthz, /readyz and /metrics are here\n"


def _accept(scope: Scope) -> str:
    told = (value for name, value in scope["headers"] if name == b"accept")
    return b",".join(told).decode("latin-1")


def _report(reasons: dict[str, str]) -> Answer:
    body = json.dumps({"ok": not reasons, "reasons": reasons}).encode() + b"\n"
    return (503 if reasons else 200), "application/json", body
