"""Settings of the identity provider."""

from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.process.configuration import ExistingFile
from countersign.process.faults.authorities import as_authority
from countersign.process.http.loopback import is_loopback

# As kube-apiserver's flags: this instead of a prefix means none.
NO_PREFIX: Final = "-"


def trusted_url(url: str) -> str:
    """An address that can be believed: by TLS, or because it is of this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not host or not safe or parts.username is not None or parts.fragment:
        raise ValueError("is not like https://host/path")
    return url


class OidcSettings(BaseSettings):
    """Names are those of kube-apiserver's `--oidc-…` flags, where it has such a flag."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_OIDC_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    issuer_url: Annotated[str, AfterValidator(trusted_url)] = Field(
        max_length=500, description="the provider, exactly as it names itself"
    )
    client_id: str = Field(
        min_length=1, max_length=200, description="as the provider knows Countersign"
    )
    client_secret_file: ExistingFile | None = Field(
        default=None, description="file with the client secret; none for a public client"
    )
    ca_file: Annotated[Path | None, AfterValidator(as_authority)] = Field(
        default=None, description="PEM file with who vouches for the provider, if not the usual"
    )
    scopes: str = Field(
        default="openid profile email", description="what is asked for, apart by spaces"
    )
    username_claim: str = Field(
        default="email", min_length=1, description="claim that names the user in RoleBindings"
    )
    username_prefix: str = Field(
        default="",
        max_length=500,
        description="put before it; empty: none before an email, else the issuer and #; -: none",
    )
    groups_claim: str = Field(
        default="groups", description="claim with the user's groups; empty: groups count nothing"
    )
    groups_prefix: str = Field(default="", max_length=500, description="put before each group")
    required_claims: dict[str, str] = Field(
        default_factory=dict, description="JSON object of claims that must be just so"
    )
    logout: bool = Field(
        default=True, description="whether signing out also ends the session at the provider"
    )

    @property
    def user_prefix(self) -> str:
        """Return the prefix as kube-apiserver puts it before a name.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/
        """
        if self.username_prefix == NO_PREFIX:
            return ""
        if not self.username_prefix and self.username_claim != "email":
            return f"{self.issuer_url}#"
        return self.username_prefix

    @property
    def group_prefix(self) -> str:
        return "" if self.groups_prefix == NO_PREFIX else self.groups_prefix

    @model_validator(mode="after")
    def _asks_for_identity(self) -> Self:
        if "openid" not in self.scopes.split():
            raise ValueError("COUNTERSIGN_OIDC_SCOPES lacks openid")
        return self
