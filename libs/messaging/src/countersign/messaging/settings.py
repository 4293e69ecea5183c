"""Settings of the bus: its address, and our name and key."""

import os
import re
import socket
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.process.faults.authorities import as_authority
from countersign.process.faults.mounts import no_file

# The part before a path, without a user: what is in each event is read by everybody.
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")


def default_replica() -> str:
    """Host and process: in Kubernetes the pod's name, and unlike any other on one machine."""
    return f"{socket.gethostname()}-{os.getpid()}"


class BusSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    nats_url: str = Field(
        default="nats://127.0.0.1:4222", description="servers of the bus, separated by commas"
    )
    nkey_file: Path | None = Field(
        default=None, description="file with the seed of this service's nkey"
    )
    nats_ca_file: Path | None = Field(
        default=None, description="certificates that the server's is checked with, where it has TLS"
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

    @property
    def servers(self) -> list[str]:
        return [url.strip() for url in self.nats_url.split(",") if url.strip()]
