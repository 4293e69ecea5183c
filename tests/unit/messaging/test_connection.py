"""What the client library does not do by itself."""

import asyncio
import socket
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from countersign.messaging.connection import ConnectionState, connect
from countersign.messaging.settings import BusSettings
from countersign.messaging.wire import client
from countersign.process.tasks.cancellation import keeping_cancellation
from countersign.setup.certificates import make_authority


async def _wait(answer: asyncio.Future[int]) -> int:
    with keeping_cancellation():
        return await asyncio.wait_for(answer, 5)


async def test_cancellation_that_comes_together_with_the_answer_is_kept() -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(_wait(answer))
    await asyncio.sleep(0)

    answer.set_result(1)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_answer_to_who_was_cancelled_before_is_given() -> None:
    """Who cleans up while being stopped still speaks to the bus."""
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    answered: list[int] = []

    async def clean_up() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            answered.append(await _wait(answer))

    cleaning = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    cleaning.cancel()
    await asyncio.sleep(0)
    answer.set_result(1)

    with pytest.raises(asyncio.CancelledError):
        await cleaning
    assert answered == [1]


async def test_bus_that_stays_away_is_told_once_for_each_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = ConnectionState("made-up")
    on = state.options(BusSettings(), "watcher")

    await on["disconnected_cb"]()
    for reason in ("refused", "refused", "refused", "no route", "no route"):
        await on["error_cb"](OSError(reason))
    said = capsys.readouterr().out

    assert said.count("bus.error") == 2
    assert state.reason() == "not connected: no route"

    await on["reconnected_cb"]()
    await on["error_cb"](OSError("no route"))

    assert "bus.error" in capsys.readouterr().out


class _ResettingServer:
    """Says that it wants TLS, and resets every connection in the middle of the handshake."""

    def __init__(self) -> None:
        self.greeted = 0
        self.came_again = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.greeted += 1
        if self.greeted > 1:
            self.came_again.set()
        writer.write(
            b'INFO {"server_id":"x","version":"2.15.1","tls_required":true,"nonce":"n"}\r\n'
        )
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()


async def test_connecting_goes_on_when_a_tls_handshake_is_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CLOSE_TIMEOUT_S", 0.05)
    authority = tmp_path / "ca.crt"
    authority.write_bytes(make_authority(now=datetime.now(UTC)).certificate)
    resetting = _ResettingServer()
    server = await asyncio.start_server(resetting, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = BusSettings(nats_url=f"tls://127.0.0.1:{port}", nats_ca_file=authority)

    async with server:
        connecting = asyncio.ensure_future(
            connect(settings, service="watcher", state=ConnectionState("watcher"))
        )
        try:
            async with asyncio.timeout(30):
                await resetting.came_again.wait()
        finally:
            # Once: it is asked again by itself where the client library loses that.
            connecting.cancel()
            await asyncio.wait([connecting], timeout=30)

    assert resetting.greeted > 1
