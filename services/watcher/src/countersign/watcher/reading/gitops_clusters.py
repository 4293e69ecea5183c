"""`GitopsCluster`: how another cluster is named, and which Secret holds the way to it. Pure.

Source: https://github.com/weaveworks/cluster-controller/tree/main/api/v1alpha1
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign.contracts.messages import ObjectRef
from countersign.contracts.secret import Secret
from countersign.kube.objects import Manifest, ObjectKey, key_of, text

GROUP: Final = "gitops.weave.works"
KIND: Final = "GitopsCluster"
API_VERSION: Final = f"{GROUP}/v1alpha1"
# Cluster API writes `value`, and so do the tests of Weave's own controller.
# https://cluster-api.sigs.k8s.io/tasks/certs/generate-kubeconfig
KEYS: Final = ("kubeconfig", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitopsCluster:
    """`secret` is the name of a Secret in its own namespace; empty where it names none."""

    key: ObjectKey
    secret: str

    @property
    def name(self) -> str:
        return f"{self.key.namespace}/{self.key.name}"


def read_gitops_cluster(manifest: Manifest) -> GitopsCluster:
    secret = text(manifest, "spec", "secretRef", "name")
    capi = text(manifest, "spec", "capiClusterRef", "name")
    if not secret and capi:
        secret = f"{capi}-kubeconfig"
    return GitopsCluster(key=key_of(manifest), secret=secret)


def key_of_cluster(cluster: str) -> ObjectKey:
    namespace, _, name = cluster.partition("/")
    return ObjectKey(group=GROUP, kind=KIND, namespace=namespace, name=name)


def subject_of_cluster(cluster: str) -> ObjectRef:
    """The GitopsCluster, as a finding names it."""
    key = key_of_cluster(cluster)
    return ObjectRef(api_version=API_VERSION, kind=KIND, namespace=key.namespace, name=key.name)


def kubeconfig_in(keys: Mapping[str, Secret]) -> Secret | None:
    return next((keys[key] for key in KEYS if key in keys), None)
