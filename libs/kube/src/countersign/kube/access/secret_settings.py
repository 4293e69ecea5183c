"""Settings of services that read stored credentials."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.kube.access.http_api import KubeSettings
from countersign.process.configuration import ExistingFile, ExistingFolder


class StoredCredentialSettings(BaseSettings):
    """The forges, and the cluster or the folder that Secrets are read from."""

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

    @model_validator(mode="after")
    def _knows_where_secrets_are(self) -> Self:
        if self.secrets_dir is None and not self.kube.in_use:
            raise ValueError("COUNTERSIGN_SECRETS_DIR is needed where COUNTERSIGN_KUBE_URL is not")
        return self
