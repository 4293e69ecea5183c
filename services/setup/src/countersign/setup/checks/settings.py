"""Settings of the check: those of the services, as the one file to edit has them."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CheckSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    public_url: str = Field(default="", description="where browsers reach the board")
    forges_file: Path | None = Field(default=None, description="YAML file with the list of forges")
    oidc_issuer_url: str = Field(default="", description="the provider; empty: none is asked")
    oidc_ca_file: Path | None = Field(
        default=None, description="PEM file with who vouches for the provider, if not the usual"
    )
    oidc_client_secret_file: str = Field(
        default="", description="file with the client secret there; the gateway reads it"
    )
    namespace: str = Field(
        default="countersign", description="where the services and their accounts are"
    )
    namespaces: str = Field(
        default="",
        description="namespaces, separated by commas, whose Pipelines the watcher reads; empty "
        "means all",
    )

    @property
    def only_namespaces(self) -> frozenset[str]:
        return frozenset(part.strip() for part in self.namespaces.split(",")) - {""}
