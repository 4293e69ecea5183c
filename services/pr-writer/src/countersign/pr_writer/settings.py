"""What the service is told from outside."""

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
    executors: int = Field(default=4, ge=1, le=32, description="executors at once, processes")
    poll_interval_s: float = Field(
        default=30, ge=1, le=3600, description="between two looks at open pull requests, seconds"
    )
