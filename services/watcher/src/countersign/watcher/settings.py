"""Settings of the service, from its environment."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.kube.access.http_api import KubeSettings
from countersign.kube.flux.revision_paths import RevisionPaths, parse_revision_paths
from countersign.process.configuration import ExistingFile, ExistingFolder
from countersign.process.http.rates import Network, networks_in


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    kube: KubeSettings = Field(
        default_factory=KubeSettings, description="the cluster whose objects are read"
    )
    namespaces: str = Field(
        default="",
        description="namespaces, separated by commas, whose Pipelines are read; empty means all, "
        "which needs the right to read all",
    )
    kubeconfig_exec: bool = Field(
        default=False,
        description="whether the kubeconfig of another cluster may name a program to run",
    )
    revision_paths: str = Field(
        default="",
        description="where kinds other than Flux's tell their revision, separated by commas, as in "
        "Release.example.org=.status.version; else it is .status.lastAppliedRevision",
    )
    cluster_dir: ExistingFolder | None = Field(
        default=None, description="without a cluster: directory of YAML that plays one"
    )
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
    webhook_proxies: str = Field(
        default="",
        description="networks, separated by commas, whose X-Forwarded-For is believed",
    )
    hook_requests_max: int = Field(
        default=240,
        ge=1,
        le=100_000,
        description="promotion hints that one address may send in 30 seconds",
    )
    secrets_dir: ExistingFolder | None = Field(
        default=None,
        description="folder with keys of promotion hints, <namespace>/<secret>/hmac-key; not "
        "needed where they are read from Kubernetes",
    )

    @property
    def only_namespaces(self) -> frozenset[str]:
        return frozenset(part.strip() for part in self.namespaces.split(",")) - {""}

    @property
    def revision_path_of(self) -> RevisionPaths:
        return parse_revision_paths(self.revision_paths)

    @property
    def proxies(self) -> tuple[Network, ...]:
        return networks_in(self.webhook_proxies)

    @model_validator(mode="after")
    def _has_objects(self) -> Self:
        if self.cluster_dir is None and not self.kube.in_use:
            raise ValueError("COUNTERSIGN_KUBE_URL is needed, or COUNTERSIGN_CLUSTER_DIR")
        return self

    @model_validator(mode="after")
    def _has_paths(self) -> Self:
        try:
            _ = self.revision_path_of
        except ValueError as error:
            raise ValueError(f"COUNTERSIGN_REVISION_PATHS: {error}") from None
        return self

    @model_validator(mode="after")
    def _has_networks(self) -> Self:
        try:
            _ = self.proxies
        except ValueError as error:
            raise ValueError(f"COUNTERSIGN_WEBHOOK_PROXIES: {error}") from None
        return self
