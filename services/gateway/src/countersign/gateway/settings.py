"""Settings of the gateway."""

from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.process.http.listening import is_loopback

LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class GatewaySettings(BaseSettings):
    """Read from the environment once, at start."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="address that is listened on")
    port: int = Field(
        default=8080, ge=0, le=65535, description="its port; 0 lets the system choose"
    )
    public_url: str = Field(
        default="",
        max_length=255,
        description="scheme, host and port that browsers use; empty means the address above",
    )
    sign_in: Literal["local", "oidc"] = Field(
        default="local",
        description="how people sign in: oidc, or local, which is for this machine alone",
    )
    people_file: Path = Field(
        default=Path("people.yaml"), description="who may sign in locally (YAML)"
    )
    forges_file: Path | None = Field(
        default=None, description="the forge list (YAML); only names and addresses are used"
    )

    trace_link: str = Field(
        default="",
        max_length=500,
        description="page of a trace in your viewer, as https://tempo.example/trace/{trace_id}",
    )
    object_links: str = Field(
        default="",
        max_length=2_000,
        description="pages of objects in your dashboards, Label=https://… with {cluster}, "
        "{namespace}, {kind}, {resource} or {name} in them; several with spaces between",
    )

    @model_validator(mode="after")
    def _local_means_local(self) -> Self:
        if self.public_url:
            parts = urlsplit(self.public_url)
            bare = f"{parts.scheme}://{parts.netloc}"
            if parts.scheme not in {"http", "https"} or bare != self.public_url.rstrip("/"):
                raise ValueError(f"public_url {self.public_url!r} is not like https://host:port")
        if self.sign_in == "oidc":
            if not self.public_url:
                raise ValueError("oidc needs COUNTERSIGN_PUBLIC_URL, where people come back to")
            if not self.public_url.startswith("https://") and not self.is_local:
                raise ValueError(
                    "COUNTERSIGN_PUBLIC_URL is http: without TLS a session can be stolen"
                )
        elif not self.is_local:
            raise ValueError(
                "local sign-in asks for no password, so it only runs on this machine: set "
                f"COUNTERSIGN_HOST to 127.0.0.1 (it is {self.host!r}) and "
                "COUNTERSIGN_PUBLIC_URL to a loopback address"
            )
        return self

    @property
    def is_local(self) -> bool:
        """Tell whether only this machine can reach the gateway."""
        named = urlsplit(self.public_url).hostname or self.host
        return is_loopback(self.host) and named in LOCAL_NAMES
