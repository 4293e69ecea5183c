"""What the client library would say to anybody, and where it would go."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import nkeys
import pytest

from countersign.messaging.connection import Trial, connect
from countersign.messaging.settings import BusSettings
from countersign.process.faults.connections import ConnectionFault
from countersign.setup.certificates import make_authority

WAIT_S = 10.0
LISTENS_S = 1.0


class Impostor:
    """Greets as a bus without TLS would, whoever it stands before, and keeps what it is told."""

    def __init__(self) -> None:
        self.heard = b""
        self.parted_twice = asyncio.Event()
        self._parted = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": "2.15.1", "nonce": "n", "auth_required": True}
        try:
            writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
            async with asyncio.timeout(LISTENS_S):
                self.heard += await reader.read(4096)
        except TimeoutError:
            pass
        finally:
            writer.close()
        self._parted += 1
        if self._parted > 1:
            self.parted_twice.set()


@asynccontextmanager
async def impostor() -> AsyncIterator[tuple[Impostor, int]]:
    standing = Impostor()
    async with await asyncio.start_server(standing, "127.0.0.1", 0) as server:
        yield standing, server.sockets[0].getsockname()[1]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "watcher.nk"
    path.write_bytes(nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_USER))
    return path


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    path.write_bytes(make_authority(now=datetime.now(UTC)).certificate)
    return path


async def greeted_by(standing: Impostor, settings: BusSettings) -> Trial:
    """Try the bus until it was tried twice."""
    trial = Trial("watcher")
    connecting = asyncio.ensure_future(connect(settings, service="watcher", state=trial))
    try:
        async with asyncio.timeout(WAIT_S):
            await standing.parted_twice.wait()
    finally:
        connecting.cancel()
        await asyncio.wait([connecting], timeout=WAIT_S)
    return trial


@pytest.mark.parametrize(("scheme", "is_known"), [("tls", False), ("tls", True), ("nats", True)])
async def test_bus_that_offers_no_tls_is_told_nothing(
    *, key: Path, authority: Path, scheme: str, is_known: bool
) -> None:
    """Else whoever is between could let us answer the challenge to itself, and be us."""
    async with impostor() as (standing, port):
        settings = BusSettings(
            nats_url=f"{scheme}://127.0.0.1:{port}",
            nats_ca_file=authority if is_known else None,
            nkey_file=key,
        )
        trial = await greeted_by(standing, settings)

    assert standing.heard == b""
    assert trial.fault is ConnectionFault.NOT_TLS
    assert "no TLS is offered" in (trial.reason() or "")


async def test_impostor_hears_who_we_are_where_nobody_wants_tls(key: Path) -> None:
    """The control: on loopback the same words reach it."""
    async with impostor() as (standing, port):
        settings = BusSettings(nats_url=f"nats://127.0.0.1:{port}", nkey_file=key)
        await greeted_by(standing, settings)

    assert b'"nkey"' in standing.heard
    assert b'"sig"' in standing.heard


@pytest.mark.parametrize(
    "url",
    [
        "nats://nats.example:4222",
        "nats.example:4222",
        "nats://127.0.0.1:4222,nats://10.0.0.7:4222",
        "tls://a.example:4222, nats://b.example:4222",
        "nats://0.0.0.0:4222",
    ],
)
def test_bus_on_another_machine_without_tls_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"another machine.*tls://.*COUNTERSIGN_NATS_PLAINTEXT"):
        BusSettings(nats_url=url)

    assert BusSettings(nats_url=url, nats_plaintext=True).nats_url == url


@pytest.mark.parametrize(
    "url",
    [
        "nats://127.0.0.1:4222",
        "nats://localhost:4222",
        "nats://[::1]:4222",
        "tls://nats:4222",
        "tls://a.example:4222,tls://b.example:4222",
    ],
)
def test_bus_on_this_machine_or_with_tls_is_taken(url: str) -> None:
    assert BusSettings(nats_url=url).nats_url == url


@pytest.mark.parametrize("url", ["ws://nats:80", "wss://nats:443", "https://nats", "tls://"])
def test_address_of_no_bus_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="tls://host:port"):
        BusSettings(nats_url=url)


def test_refusal_names_the_variable_and_its_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_NATS_URL", "nats://nats:4222")
    with pytest.raises(ValueError, match="nats_url"):
        BusSettings()

    monkeypatch.setenv("COUNTERSIGN_NATS_PLAINTEXT", "true")
    assert BusSettings().servers == ["nats://nats:4222"]
