"""The settings of the service, from its environment."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from countersign.approval.delegation.signatures import public_key_of
from countersign.process.configuration import ExistingFile

WRITERS_MAX: Final = 16


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    forges_file: ExistingFile = Field(description="YAML file with the list of forges")
    public_url: str = Field(
        description="where browsers reach the gateway, without a path: `https://countersign.example`"
    )
    writer_nkeys: Annotated[tuple[str, ...], NoDecode] = Field(
        description="public nkeys of the pr-writers, separated by commas"
    )

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, url: str) -> str:
        parts = urlsplit(url.rstrip("/"))
        plain = parts.scheme in {"http", "https"} and parts.netloc and "@" not in parts.netloc
        if not plain or parts.path or parts.query or parts.fragment:
            raise ValueError("give scheme, host and port only")
        return url.rstrip("/")

    @field_validator("writer_nkeys", mode="before")
    @classmethod
    def _split(cls, text: object) -> object:
        if isinstance(text, str):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return text

    @field_validator("writer_nkeys")
    @classmethod
    def _are_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not 1 <= len(keys) <= WRITERS_MAX:
            raise ValueError(f"give 1 to {WRITERS_MAX} keys")
        for key in keys:
            public_key_of(key)
        return keys
