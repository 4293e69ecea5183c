"""Our connections to a bus that speaks TLS."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from doubles.tls_bus import TlsServer

from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.topology.permissions import TOPOLOGY, reply_prefix

WAIT_S = 20.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TlsServer]:
    running = TlsServer(tmp_path)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "asyncio"]


async def test_connection_ends_without_a_complaint(server: TlsServer, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        state = ConnectionState("tls")
        client = await connect(server.settings(TOPOLOGY), service=TOPOLOGY, state=state)
        await client.flush()
        await close(client, state)

    assert complaints(caplog) == []


async def test_lost_connection_comes_back_without_a_complaint(
    server: TlsServer, until: Any, caplog: Any
) -> None:
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        state = ConnectionState("tls")
        client = await connect(server.settings(TOPOLOGY), service=TOPOLOGY, state=state)
        state.connected()
        await server.stop()
        await until(lambda: state.reason() is not None)
        await server.start()
        await until(lambda: state.reason() is None)
        await client.flush()
        await close(client, state)

    assert complaints(caplog) == []


async def test_more_than_a_buffer_holds_is_heard(server: TlsServer) -> None:
    sizes = [512 * 1024 + n for n in range(8)]
    states = {user: ConnectionState(user) for user in ("gateway", "approval")}
    asker, answerer = [
        await connect(server.settings(user), service=user, state=state)
        for user, state in states.items()
    ]
    try:
        heard = await asker.subscribe(f"{reply_prefix('gateway')}many")
        await asker.flush()
        for size in sizes:
            await answerer.publish(heard.subject, bytes(size))
        got = [len((await heard.next_msg(WAIT_S)).data) for _ in sizes]
    finally:
        await close(answerer, states["approval"])
        await close(asker, states["gateway"])

    assert got == sizes


async def test_key_and_authority_made_anew_are_used_without_a_restart(
    server: TlsServer, until: Any
) -> None:
    state = ConnectionState("tls")
    settings = server.settings(TOPOLOGY)
    client = await connect(settings, service=TOPOLOGY, state=state)
    state.connected()
    before = settings.nkey_file.read_bytes(), settings.nats_ca_file.read_bytes()
    try:
        await server.stop()
        await until(lambda: state.reason() is not None)
        settings.nkey_file.write_text("torn", encoding="ascii")
        await until(lambda: "nkey" in str(state.reason()) or "Connect" in str(state.reason()))
        settings.nkey_file.unlink()
        server.renew()
        await server.start()
        await until(lambda: state.reason() is None)
        await client.flush()
    finally:
        await close(client, state)

    assert before[0] != settings.nkey_file.read_bytes()
    assert before[1] != settings.nats_ca_file.read_bytes()
