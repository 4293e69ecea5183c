"""The settings of the service, from its environment."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from countersign.bridge.model import Shape
from countersign.contracts.messages import EVENTS
from countersign.process.configuration import ExistingFile


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_BRIDGE_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    reader: str = Field(description="name of the reader that the key was made for")
    stream: Literal["PROMOTIONS", "PIPELINES", "TOKENS"] = Field(
        default="PROMOTIONS", description="which events: PROMOTIONS, PIPELINES or TOKENS"
    )
    # A webhook's URL is its password.
    url: SecretStr | None = Field(default=None, description="where events are sent to")
    url_file: ExistingFile | None = Field(default=None, description="file with that URL instead")
    shape: Shape = Field(default=Shape.BINARY, description="binary, structured, cdevents, or slack")
    secret_file: ExistingFile | None = Field(
        default=None, description="file with the secret that requests are signed with"
    )
    events: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(),
        description="which, as `promotion.requested,pull-request.opened`; empty means all",
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("give an http or https URL")
        return url

    @field_validator("events", mode="before")
    @classmethod
    def _split(cls, text: object) -> object:
        if isinstance(text, str):
            return frozenset(part.strip() for part in text.split(",") if part.strip())
        return text

    @field_validator("events")
    @classmethod
    def _are_known(cls, names: frozenset[str]) -> frozenset[str]:
        known = {info.name for info in EVENTS.values()}
        if unknown := names - known:
            raise ValueError(f"no such event: {', '.join(sorted(unknown))}")
        return names
