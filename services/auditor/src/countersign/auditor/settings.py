"""The settings of the service, from its environment."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.kube.access.http_api import KubeSettings
from countersign.process.configuration import ExistingFile, ExistingFolder


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    forges_file: ExistingFile = Field(description="YAML file with the list of forges")
    kube: KubeSettings = Field(
        default_factory=KubeSettings, description="the cluster that Secrets are read from"
    )
    secrets_dir: ExistingFolder | None = Field(
        default=None,
        description="without a cluster: folder with the Secrets as files, "
        "`<namespace>/<secret>/<key>`",
    )
    check_interval_s: float = Field(
        default=3600, ge=60, le=86400, description="between two checks of a credential, seconds"
    )

    rate_share: float = Field(
        default=0.02,
        gt=0,
        le=0.5,
        description="the part of an account's rate limit at a forge that checks may use in an hour",
    )

    @property
    def check_interval(self) -> timedelta:
        return timedelta(seconds=self.check_interval_s)

    @model_validator(mode="after")
    def _knows_where_secrets_are(self) -> Self:
        if self.secrets_dir is None and not self.kube.in_use:
            raise ValueError("COUNTERSIGN_SECRETS_DIR is needed where COUNTERSIGN_KUBE_URL is not")
        return self
