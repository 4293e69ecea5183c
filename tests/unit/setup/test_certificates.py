"""The bus's certificate is believed by whoever believes its authority, and by nobody else."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countersign.setup.certificates import (
    LIFETIME,
    RENEWED_BEFORE,
    Certificate,
    is_fit,
    make_authority,
    make_certificate,
)

NAMES = ("nats", "nats.countersign.svc", "127.0.0.1")


@pytest.fixture(name="now")
def now_fixture() -> datetime:
    return datetime.now(UTC)


async def _handshake(folder: Path, *, served: Certificate, believed: bytes, name: str) -> None:
    (folder / "tls.crt").write_bytes(served.certificate)
    (folder / "tls.key").write_bytes(served.key)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    asking = ssl.create_default_context(cadata=believed.decode())
    asking.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=serving) as server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=asking, server_hostname=name
        )
        writer.close()


@pytest.mark.parametrize("name", NAMES)
async def test_certificate_is_believed_for_each_of_its_names(
    tmp_path: Path, now: datetime, name: str
) -> None:
    authority = make_authority(now=now)
    served = make_certificate(NAMES, authority=authority, now=now)

    await _handshake(tmp_path, served=served, believed=authority.certificate, name=name)


async def test_certificate_is_not_believed_for_another_name(tmp_path: Path, now: datetime) -> None:
    authority = make_authority(now=now)
    served = make_certificate(NAMES, authority=authority, now=now)

    with pytest.raises(ssl.SSLCertVerificationError):
        await _handshake(tmp_path, served=served, believed=authority.certificate, name="other")


async def test_renewed_certificate_is_believed_by_who_believes_the_authority(
    tmp_path: Path, now: datetime
) -> None:
    authority = make_authority(now=now - LIFETIME)
    renewed = make_certificate(NAMES, authority=authority, now=now)

    await _handshake(tmp_path, served=renewed, believed=authority.certificate, name=NAMES[0])


def test_certificate_is_renewed_before_it_ends(now: datetime) -> None:
    made = make_certificate(NAMES, authority=make_authority(now=now), now=now).certificate
    ends = now + LIFETIME

    assert is_fit(made, names=NAMES, now=ends - RENEWED_BEFORE - timedelta(days=1))
    assert not is_fit(made, names=NAMES, now=ends - RENEWED_BEFORE + timedelta(days=1))


def test_certificate_that_lacks_a_name_is_made_anew(now: datetime) -> None:
    made = make_certificate(NAMES, authority=make_authority(now=now), now=now).certificate

    assert not is_fit(made, names=(*NAMES, "nats-2.nats-nodes.countersign.svc"), now=now)
    assert not is_fit(b"no certificate", names=NAMES, now=now)
