"""Health over real HTTP."""

import asyncio
import json
from typing import Any, Never

import pytest

from countersign.process.health import Health
from countersign.process.http.loopback import is_loopback, names_loopback
from countersign.process.http.serving import answer, serve_health
from countersign.telemetry.settings import TelemetrySettings


async def get(port: Any, path: Any, *, host: Any = "127.0.0.1", method: Any = "GET") -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    writer.write(request.encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body


def test_ready_tells_every_reason() -> None:
    health = Health()
    health.add("bus", lambda: "not connected")
    health.add("work", lambda: None)
    health.live("loop", lambda: "stuck")

    assert health.not_ready() == {"bus": "not connected", "loop": "stuck"}
    assert health.not_live() == {"loop": "stuck"}
    health.remove("bus")
    health.remove("loop")
    assert health.not_ready() == health.not_live() == {}


def test_not_ready_is_not_dead() -> None:
    health = Health()
    health.add("bus", lambda: "not connected")

    assert answer("/healthz", health)[0] == 200
    status, _, body = answer("/readyz", health)
    assert status == 503
    assert json.loads(body) == {"ok": False, "reasons": {"bus": "not connected"}}


@pytest.mark.parametrize(
    ("accept", "kind", "end"),
    [
        ("", "text/plain", b"\n"),
        ("*/*", "text/plain", b"\n"),
        ("application/openmetrics-text;version=x,*/*;q=0.1", "application/openmetrics", b"# EOF\n"),
    ],
)
def test_metrics_are_in_the_format_that_is_asked_for(accept: str, kind: str, end: bytes) -> None:
    status, told, body = answer("/metrics", Health(), accept=accept)

    assert status == 200
    assert told.startswith(kind)
    assert body.endswith(end)


async def test_pages_are_served_on_a_port_of_their_own() -> None:
    async with serve_health(Health(), TelemetrySettings()) as port:
        assert await get(port, "/healthz") == (200, b'{"ok": true, "reasons": {}}\n')
        assert (await get(port, "/readyz"))[0] == 200
        status, body = await get(port, "/metrics")
        assert status == 200
        assert b"# TYPE" in body
        assert (await get(port, "/other"))[0] == 404
        assert (await get(port, "/healthz", method="POST"))[0] == 405
        assert await get(port, "/healthz", method="HEAD") == (200, b"")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8080", 200),
        ("[::1]:80", 200),
        ("rebound.example", 421),
        ("127.0.0.1.rebound.example", 421),
        ("rebound.example:80", 421),
    ],
)
async def test_foreign_names_of_this_machine_are_refused(host: Any, status: Any) -> None:
    """A web page whose name resolves to loopback must not read here."""
    async with serve_health(Health(), TelemetrySettings()) as port:
        assert (await get(port, "/metrics", host=host))[0] == status


async def test_error_of_the_block_is_raised_as_it_is() -> Never:
    with pytest.raises(KeyError):
        async with serve_health(Health(), TelemetrySettings()):
            raise KeyError("k")


@pytest.mark.parametrize("host", ["", "evil", "localhost.evil", "127.0.0.1:x", ":80"])
def test_other_names_are_not_loopback(host: Any) -> None:
    assert not names_loopback(host)


def test_addresses_are_told_apart() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("gateway")
