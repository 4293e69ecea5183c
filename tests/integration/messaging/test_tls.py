"""A bus that speaks TLS, as in a cluster."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from countersign.local.demo.layout import free_port
from countersign.messaging.administration.local_server import binary
from countersign.messaging.administration.server_config import (
    ServerOptions,
    make_keys,
    server_config,
)
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.permissions import TOPOLOGY, reply_prefix
from countersign.setup.certificates import make_authority, make_certificate

WAIT_S = 20.0


class TlsServer:
    """May be stopped and started again."""

    def __init__(self, folder: Path, *, port: int) -> None:
        self._folder = folder
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        now = datetime.now(UTC)
        authority = make_authority(now=now)
        made = make_certificate(["localhost", "127.0.0.1"], authority=authority, now=now)
        for name, pem in {
            "ca.crt": authority.certificate, "tls.crt": made.certificate, "tls.key": made.key,
        }.items():  # fmt: skip
            (folder / name).write_bytes(pem)
        options = ServerOptions(
            store_dir=folder / "store",
            port=port,
            certificate=folder / "tls.crt",
            certificate_key=folder / "tls.key",
            authority=folder / "ca.crt",
        )
        text = server_config(make_keys(folder / "keys"), options)
        (folder / "nats.conf").write_text(text)

    def settings(self, user: str) -> BusSettings:
        return BusSettings(
            nats_url=f"tls://127.0.0.1:{self._port}",
            nkey_file=self._folder / "keys" / f"{user}.nk",
            nats_ca_file=self._folder / "ca.crt",
        )

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            binary(), "-c", str(self._folder / "nats.conf"), "-l", str(self._folder / "log")
        )

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), WAIT_S)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TlsServer]:
    running = TlsServer(tmp_path, port=free_port())
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
