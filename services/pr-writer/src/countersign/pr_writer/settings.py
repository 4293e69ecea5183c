"""What the service is told from outside."""

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
    executors: int = Field(default=4, ge=1, le=32, description="executors at once, processes")
    poll_interval_s: float = Field(
        default=30, ge=1, le=3600, description="between two looks at open pull requests, seconds"
    )

    @model_validator(mode="after")
    def _are_there(self) -> Self:
        if not self.forges_file.is_file():
            raise ValueError(f"COUNTERSIGN_FORGES_FILE: there is no file {str(self.forges_file)!r}")
        if not self.secrets_dir.is_dir():
            raise ValueError(
                f"COUNTERSIGN_SECRETS_DIR: there is no folder {str(self.secrets_dir)!r}"
            )
        return self
