"""Settings of the gateway."""

from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.gateway.view.projection import PROMOTIONS_KEPT
from countersign.process.configuration import ExistingFile
from countersign.process.http.loopback import is_loopback
from countersign.process.http.rates import networks_in

SESSION_KEY_BYTES_MIN: Final = 32
SESSION_KEY_BYTES_MAX: Final = 1024
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
    review_groups: str = Field(
        default="",
        description="groups, separated by commas, that a review of an environment asks about where "
        "bindings cannot be read",
    )
    forges_file: Path | None = Field(
        default=None, description="the forge list (YAML); only names and addresses are used"
    )

    kept_promotions: int = Field(
        default=PROMOTIONS_KEPT,
        ge=100,
        le=100_000,
        description="promotions that the pages and the record keep; each takes 21 KiB of memory",
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

    session_key_file: ExistingFile | None = Field(
        default=None,
        description="file with a key that all replicas share, so that a session outlives the one "
        "that began it; 32 bytes or more, made by chance",
    )

    proxies: str = Field(
        default="",
        description="networks, separated by commas, whose X-Forwarded-For is believed",
    )
    sign_in_requests_max: int = Field(
        default=600,
        ge=10,
        le=100_000,
        description="requests to sign in that one address may send in 30 seconds; behind a proxy "
        "that COUNTERSIGN_PROXIES does not name there is no limit",
    )

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        networks_in(text)
        return text

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

    @model_validator(mode="after")
    def _key_is_one(self) -> Self:
        file = self.session_key_file
        least, most = SESSION_KEY_BYTES_MIN, SESSION_KEY_BYTES_MAX
        if file is not None and not least <= file.stat().st_size <= most:
            raise ValueError(
                f"COUNTERSIGN_SESSION_KEY_FILE: {str(file)!r} does not hold {least} to {most} bytes"
            )
        return self

    @property
    def session_key(self) -> bytes:
        """The key of all replicas; empty where each makes its own."""
        return self.session_key_file.read_bytes() if self.session_key_file else b""

    @property
    def is_local(self) -> bool:
        """Tell whether only this machine can reach the gateway."""
        named = urlsplit(self.public_url).hostname or self.host
        return is_loopback(self.host) and named in LOCAL_NAMES
