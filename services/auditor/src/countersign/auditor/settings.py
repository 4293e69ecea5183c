"""The settings of the service, from its environment."""

from datetime import timedelta

from pydantic import Field

from countersign.kube.access.secret_settings import StoredCredentialSettings


class Settings(StoredCredentialSettings):
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
