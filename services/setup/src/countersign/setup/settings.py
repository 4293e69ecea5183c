"""Settings of the Job, read from the environment once."""

from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.kube.access.http_api import KubeSettings
from countersign.process.configuration import ExistingFile

# Of a StatefulSet; more nodes than that vote slower and lose nothing less.
BUS_NODES_MAX: Final = 5


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    kube: KubeSettings = Field(
        default_factory=KubeSettings, description="the cluster that Secrets are made in"
    )
    namespace: str = Field(default="countersign", description="where they are made")
    bus: str = Field(default="nats", description="name of the bus's StatefulSet and Services")
    readers_file: ExistingFile | None = Field(
        default=None, description="YAML that lists tools and the namespaces whose events they read"
    )
    bus_nodes: int = Field(
        default=1, ge=1, le=BUS_NODES_MAX, description="how many nodes the bus has: 1, 3 or 5"
    )
