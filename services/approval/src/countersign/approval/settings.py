"""The settings of the service, from its environment."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.approval.delegation.signatures import writers_in
from countersign.process.configuration import ExistingFile


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    forges_file: ExistingFile = Field(description="YAML file with the list of forges")
    public_url: str = Field(
        description="where browsers reach the gateway, without a path: `https://countersign.example`"
    )
    writer_nkeys_file: ExistingFile = Field(
        description="file with the public nkeys of the pr-writers, separated by commas; read anew "
        "for each redemption"
    )

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, url: str) -> str:
        parts = urlsplit(url.rstrip("/"))
        plain = parts.scheme in {"http", "https"} and parts.netloc and "@" not in parts.netloc
        if not plain or parts.path or parts.query or parts.fragment:
            raise ValueError("give scheme, host and port only")
        return url.rstrip("/")

    @field_validator("writer_nkeys_file")
    @classmethod
    def _lists_keys(cls, path: ExistingFile) -> ExistingFile:
        writers_in(path)
        return path
