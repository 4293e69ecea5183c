"""A bus that speaks TLS, as in a cluster."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from countersign.local.demo.layout import free_port
from countersign.messaging.administration import reader_files
from countersign.messaging.administration.local_server import binary
from countersign.messaging.administration.server_config import (
    ServerOptions,
    make_keys,
    server_config,
)
from countersign.messaging.settings import BusSettings
from countersign.setup.certificates import make_authority, make_certificate

STOP_S = 20.0


class TlsServer:
    """May be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        self.renew()
        self._options = ServerOptions(
            store_dir=folder / "store",
            port=self._port,
            certificate=folder / "tls.crt",
            certificate_key=folder / "tls.key",
            authority=folder / "ca.crt",
        )

    def renew(self) -> None:
        """Make an authority and a certificate, in place of those that it may have had."""
        now = datetime.now(UTC)
        authority = make_authority(now=now)
        made = make_certificate(["localhost", "127.0.0.1"], authority=authority, now=now)
        for name, pem in {
            "ca.crt": authority.certificate, "tls.crt": made.certificate, "tls.key": made.key,
        }.items():  # fmt: skip
            (self._folder / name).write_bytes(pem)

    @property
    def url(self) -> str:
        """By the name that `kubectl port-forward` listens at; it stands in the certificate."""
        return f"tls://localhost:{self._port}"

    @property
    def authority(self) -> Path:
        return self._folder / "ca.crt"

    @property
    def readers_dir(self) -> Path:
        return self._folder / "readers"

    def settings(self, user: str) -> BusSettings:
        return BusSettings(
            nats_url=self.url,
            nkey_file=self._folder / "keys" / f"{user}.nk",
            nats_ca_file=self.authority,
        )

    async def start(self) -> None:
        readers = reader_files.load(self.readers_dir)
        text = server_config(make_keys(self._folder / "keys"), self._options, readers)
        (self._folder / "nats.conf").write_text(text)
        self._process = await asyncio.create_subprocess_exec(
            binary(), "-c", str(self._folder / "nats.conf"), "-l", str(self._folder / "log")
        )

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), STOP_S)
