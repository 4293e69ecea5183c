"""Settings of the bus: its address, and our name and key."""

import os
import re
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.process.faults.authorities import as_authority
from countersign.process.faults.mounts import no_file
from countersign.process.http.loopback import is_loopback

# The part before a path, without a user: what is in each event is read by everybody.
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")

SCHEMES: Final = frozenset({"nats", "tls"})


def default_replica() -> str:
    """Host and process: in Kubernetes the pod's name, and unlike any other on one machine."""
    return f"{socket.gethostname()}-{os.getpid()}"


class BusSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    nkey_file: Path | None = Field(
        default=None, description="file with the seed of this service's nkey"
    )
    nats_ca_file: Path | None = Field(
        default=None, description="certificates that the server's is checked with, where it has TLS"
    )
    nats_plaintext: bool = Field(
        default=False,
        description="whether the bus may be spoken to without TLS on another machine",
    )
    # After what it is judged by.
    nats_url: str = Field(
        default="nats://127.0.0.1:4222",
        description="servers of the bus, separated by commas; tls:// where it is another machine",
    )
    public_url: str = Field(
        default="",
        max_length=255,
        description="the board's scheme, host and port; names this installation in events",
    )
    replica: str = Field(
        default_factory=default_replica, min_length=1, description="name of this replica"
    )

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, url: str) -> str:
        if url and not _ORIGIN.fullmatch(url.rstrip("/")):
            raise ValueError("give scheme, host and port only")
        return url.rstrip("/")

    @field_validator("nkey_file")
    @classmethod
    def _is_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(no_file(path))
        return path

    @field_validator("nats_ca_file")
    @classmethod
    def _is_authority(cls, path: Path | None) -> Path | None:
        return as_authority(path)

    @field_validator("nats_url")
    @classmethod
    def _is_private(cls, urls: str, given: ValidationInfo) -> str:
        """Refuse a bus that everybody on the way could read and speak for us to."""
        if given.data.get("nats_ca_file") is not None or given.data.get("nats_plaintext"):
            allowed = SCHEMES
        else:
            allowed = frozenset({"tls"})
        for url in _split(urls):
            scheme, host = _scheme_and_host(url)
            if scheme not in SCHEMES or not host:
                raise ValueError("give each server as tls://host:port or nats://host:port")
            if scheme not in allowed and not is_loopback(host):
                raise ValueError(
                    f"{host!r} is another machine, and everybody on the way could read along: "
                    "give tls://, or set COUNTERSIGN_NATS_PLAINTEXT=true"
                )
        return urls

    @property
    def servers(self) -> list[str]:
        return _split(self.nats_url)


def _split(urls: str) -> list[str]:
    return [url.strip() for url in urls.split(",") if url.strip()]


def _scheme_and_host(url: str) -> tuple[str, str]:
    """Read one as the client library does; empty where it is none."""
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
    except ValueError:
        return "", ""
    return parts.scheme, parts.hostname or ""
