"""What the service is told from outside."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.telemetry.configuration import ExistingFile, ExistingFolder


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    forges_file: ExistingFile = Field(description="YAML file with the list of forges")
    secrets_dir: ExistingFolder = Field(
        description="folder with the Secrets as files, `<namespace>/<secret>/<key>`"
    )
    check_interval_s: float = Field(
        default=3600, ge=60, le=86400, description="between two checks of a credential, seconds"
    )

    @property
    def check_interval(self) -> timedelta:
        return timedelta(seconds=self.check_interval_s)
