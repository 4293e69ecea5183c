"""What the service is told from outside."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.telemetry.configuration import ExistingFile, ExistingFolder


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    cluster_dir: ExistingFolder = Field(description="directory of YAML that plays the cluster")
    reread_s: float = Field(
        default=30.0, gt=0, le=3600, description="how often everything is re-read, seconds"
    )
    forges_file: ExistingFile | None = Field(
        default=None, description="YAML file with the list of forges; without it no webhooks"
    )
    webhook_host: str = Field(default="127.0.0.1", description="address that takes webhooks")
    webhook_port: int = Field(
        default=0, ge=0, le=65535, description="its port; 0 lets the system choose"
    )
