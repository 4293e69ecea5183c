"""Settings of telemetry."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LogLevel = Literal["debug", "info", "warning", "error"]


class TelemetrySettings(BaseSettings):
    """Traces are configured by the standard `OTEL_*` variables, read by OpenTelemetry itself."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    log_level: LogLevel = Field(default="info", description="lowest level that is logged")
    health_host: str = Field(
        default="127.0.0.1", description="address that serves /healthz, /readyz and /metrics"
    )
    health_port: int = Field(
        default=0, ge=0, le=65535, description="its port; 0 lets the system choose"
    )
