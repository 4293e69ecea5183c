"""What the service is told from outside."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    forges_file: Path = Field(description="YAML file with the list of forges")
    secrets_dir: Path = Field(
        description="folder with the Secrets as files, `<namespace>/<secret>/<key>`"
    )
    check_interval_s: float = Field(
        default=3600, ge=60, le=86400, description="between two checks of a credential, seconds"
    )

    @property
    def check_interval(self) -> timedelta:
        return timedelta(seconds=self.check_interval_s)

    @model_validator(mode="after")
    def _are_there(self) -> Self:
        if not self.forges_file.is_file():
            raise ValueError(f"COUNTERSIGN_FORGES_FILE: there is no file {str(self.forges_file)!r}")
        if not self.secrets_dir.is_dir():
            raise ValueError(
                f"COUNTERSIGN_SECRETS_DIR: there is no folder {str(self.secrets_dir)!r}"
            )
        return self
