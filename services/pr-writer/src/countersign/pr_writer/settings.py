"""Settings that come from outside."""

from pydantic import Field

from countersign.kube.access.secret_settings import StoredCredentialSettings


class Settings(StoredCredentialSettings):
    executors: int = Field(default=4, ge=1, le=32, description="executors at once, processes")
    poll_interval_s: float = Field(
        default=30, ge=1, le=3600, description="between two looks at open pull requests, seconds"
    )
