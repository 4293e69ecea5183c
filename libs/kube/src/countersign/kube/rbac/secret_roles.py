"""Roles that let each service read the Secrets it needs and no other. Pure.

Who may write a Pipeline thereby names Secrets of its namespace; that is why a person prints these
Roles, looks at them, and applies them, and no service makes them for itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import CredentialMode
from countersign.kube.grants import ACCOUNT_PREFIX, NAMESPACE, Grant, Grantee, Rule, manifests
from countersign.kube.objects import Manifest, group_of, key_of, text
from countersign.kube.pipelines import pipeline as pipelines
from countersign.kube.pipelines.pipeline import Pipeline, read_pipeline

LABELS: Final = {
    "app.kubernetes.io/part-of": "countersign",
    "app.kubernetes.io/component": "named-secrets",
}
AUDITOR: Final = "auditor"
PR_WRITER: Final = "pr-writer"
WATCHER: Final = "watcher"
_GITOPS_CLUSTER: Final = ("gitops.weave.works", "GitopsCluster")

# A service and a namespace.
Reader = tuple[str, str]


@dataclass
class NamedSecrets:
    """Collected from manifests, in any order.

    Args:
        pipelines: how many there were.
        of: names of Secrets, by who reads them where.

    """

    pipelines: int = 0
    of: dict[Reader, set[str]] = field(default_factory=lambda: defaultdict(set))


def named_secrets(manifests: Iterable[Manifest]) -> NamedSecrets:
    """Find the Secrets of Pipelines, and of the GitopsClusters that these name."""
    found = NamedSecrets()
    clusters: dict[str, str] = {}
    used: set[str] = set()
    for manifest in manifests:
        place = (group_of(text(manifest, "apiVersion")), text(manifest, "kind"))
        try:
            if place == (pipelines.GROUP, pipelines.KIND):
                pipeline = read_pipeline(manifest)
                found.pipelines += 1
                used |= {cluster for cluster in _clusters(pipeline) if cluster}
                for service, name in _named(pipeline):
                    found.of[service, pipeline.key.namespace].add(name)
            elif place == _GITOPS_CLUSTER:
                key = key_of(manifest)
                clusters[f"{key.namespace}/{key.name}"] = _kubeconfig(manifest)
        except Rejected:
            continue
    for cluster in used:
        if secret := clusters.get(cluster):
            found.of[WATCHER, cluster.partition("/")[0]].add(secret)
    return found


def _named(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    # Nothing is promoted into the first environment.
    for environment in pipeline.environments[1:]:
        strategy = environment.strategy
        if strategy is None or strategy.secret is None:
            continue
        yield AUDITOR, strategy.secret.name
        if strategy.mode is CredentialMode.STORED:
            yield PR_WRITER, strategy.secret.name
    for hook in pipeline.hook_secrets:
        yield WATCHER, hook.secret.name


def _clusters(pipeline: Pipeline) -> Iterator[str]:
    for environment in pipeline.environments:
        for target in environment.targets:
            yield pipeline.cluster_of(target)


def _kubeconfig(manifest: Manifest) -> str:
    """Cluster API names a cluster's Secret after it.

    Source: https://cluster-api.sigs.k8s.io/tasks/certs/generate-kubeconfig
    """
    capi = text(manifest, "spec", "capiClusterRef", "name")
    return text(manifest, "spec", "secretRef", "name") or (capi and f"{capi}-kubeconfig")


def secret_roles(named: NamedSecrets, *, home: str = NAMESPACE) -> tuple[dict[str, Any], ...]:
    """A Role and its RoleBinding for each service in each namespace, by namespace.

    Args:
        named: what they may read.
        home: namespace of the service accounts.

    """
    places = sorted(
        (namespace, service) for (service, namespace), names in named.of.items() if names
    )
    return tuple(
        manifest
        for namespace, service in places
        for manifest in manifests(
            Grant(
                role=f"{ACCOUNT_PREFIX}{service}-secrets",
                rule=Rule(
                    verbs=("get",),
                    resource="secrets",
                    names=tuple(sorted(named.of[service, namespace])),
                ),
                subjects=(Grantee(name=f"{ACCOUNT_PREFIX}{service}", namespace=home),),
                namespace=namespace,
                labels=LABELS,
            )
        )
    )
