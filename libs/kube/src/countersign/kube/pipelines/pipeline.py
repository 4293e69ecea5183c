"""The `Pipeline` object: read as pipeline-controller reads it, with optional fields added.

A Pipeline is never refused as a whole: what is wrong with it becomes a finding that a person sees.
Source: https://github.com/weaveworks/pipeline-controller/tree/main/api/v1alpha1
"""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Finding, FindingLevel, ObjectRef, PipelineRef
from countersign.kube.objects import (
    NAME_CHARACTERS_MAX,
    Manifest,
    ObjectKey,
    group_of,
    key_of,
    mapping,
    sequence,
    text,
)
from countersign.kube.pipelines.fields import unknown_fields
from countersign.kube.pipelines.findings import FindingCode, error, warning
from countersign.kube.pipelines.hook_secrets import HookSecret, read_hook_secrets
from countersign.kube.pipelines.manifests import as_written, generation_of
from countersign.kube.pipelines.strategies import PullRequests, read_strategy
from countersign.kube.refusals import ClusterRefusal

GROUP: Final = "pipelines.weave.works"
KIND: Final = "Pipeline"
# Read for a reason of ours, or not to be read at all.
NO_APPLICATIONS: Final = frozenset(
    {("", "Secret"), ("", "ConfigMap"), (GROUP, KIND), ("gitops.weave.works", "GitopsCluster")}
)
ENVIRONMENTS_MAX: Final = 100
TARGETS_MAX: Final = 200
# What is seen of all of them must fit into one event, with a sentence for each.
TARGETS_IN_ALL_MAX: Final = 1000
# The name is repeated for each target: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
KIND_CHARACTERS_MAX: Final = 63
API_VERSION_CHARACTERS_MAX: Final = NAME_CHARACTERS_MAX + 1 + KIND_CHARACTERS_MAX
# As long as any name in Kubernetes; longer ones make subjects that the bus refuses.
ENVIRONMENT_NAME_BYTES_MAX: Final = 253
# Objects that no API server has numbered get an id from their name.
_UID_SPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://pipelines.weave.works/v1alpha1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A cluster (empty: the watcher's own) and a namespace in it.

    The cluster is a GitopsCluster of the Pipeline's namespace, or else with its own before it.
    """

    namespace: str
    cluster: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A stage; without `strategy` nothing is promoted into it, and `no_strategy` says why."""

    name: str
    targets: tuple[Target, ...] = ()
    strategy: PullRequests | None = None
    no_strategy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """One application and its environments in the order of promotion."""

    key: ObjectKey
    ref: PipelineRef
    app: ObjectRef
    environments: tuple[Environment, ...]
    findings: tuple[Finding, ...]
    manifest: str
    hook_secrets: tuple[HookSecret, ...] = ()
    # What the API server holds beside the spec, as JSON, and which of its versions this is.
    status: bytes = b"{}"
    resource_version: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether the Pipeline can be acted on at all."""
        return all(f.level is not FindingLevel.ERROR for f in self.findings)

    def app_key(self, target: Target) -> ObjectKey:
        return ObjectKey(
            group=group_of(self.app.api_version),
            kind=self.app.kind,
            namespace=target.namespace,
            name=self.app.name,
            cluster=self.cluster_of(target),
        )

    def cluster_of(self, target: Target) -> str:
        """Namespace and name of its GitopsCluster; empty for the watcher's own cluster."""
        if not target.cluster or "/" in target.cluster:
            return target.cluster
        return f"{self.key.namespace}/{target.cluster}"


def read_pipeline(manifest: Manifest) -> Pipeline:
    """Read a Pipeline; its faults become findings.

    Raises:
        Rejected: `not_an_object`; it has no name.

    """
    key = key_of(manifest)
    entries = sequence(manifest, "spec", "environments")[:ENVIRONMENTS_MAX]
    app, app_findings = _app(manifest, key=key)
    uid = text(manifest, "metadata", "uid") or str(uuid.uuid5(_UID_SPACE, str(key)))
    environments = _limited(
        _environment(entry, manifest=manifest, namespace=key.namespace) for entry in entries
    )
    findings = (
        *_findings_of_deletion(manifest, key=key),
        *app_findings,
        *_findings_of_sizes(manifest, key=key),
        *_findings_of_environments(environments, key=key),
        *_findings_of_strategies(environments, key=key),
        *(_unknown(key, path) for path in unknown_fields(manifest)),
    )
    return Pipeline(
        key=key,
        ref=PipelineRef(
            namespace=key.namespace,
            name=key.name,
            uid=uid,
            generation=generation_of(manifest),
        ),
        app=app,
        environments=environments,
        findings=findings,
        manifest=as_written(manifest),
        hook_secrets=read_hook_secrets(manifest, namespace=key.namespace),
    )


def as_stored(pipeline: Pipeline, manifest: Manifest) -> Pipeline:
    """Add what only an API server knows of it; its objects are JSON, unlike those in files."""
    return replace(
        pipeline,
        status=json.dumps(mapping(manifest, "status")).encode(),
        resource_version=text(manifest, "metadata", "resourceVersion"),
    )


def _findings_of_deletion(manifest: Manifest, *, key: ObjectKey) -> Iterator[Finding]:
    if mapping(manifest, "metadata").get("deletionTimestamp"):
        message = f"{key}: is being deleted and waits for its finalizers; nothing is promoted"
        yield error(FindingCode.BEING_DELETED, message, path="metadata.deletionTimestamp")


def _app(manifest: Manifest, *, key: ObjectKey) -> tuple[ObjectRef, tuple[Finding, ...]]:
    ref = mapping(manifest, "spec", "appRef")
    api_version, kind, name = (text(ref, field) for field in ("apiVersion", "kind", "name"))
    app = ObjectRef(
        api_version=api_version[:API_VERSION_CHARACTERS_MAX],
        kind=kind[:KIND_CHARACTERS_MAX] or "unknown",
        name=name[:NAME_CHARACTERS_MAX] or "unknown",
    )
    if not (api_version and kind and name):
        message = f"{key}: spec.appRef needs apiVersion, kind and name; name the application there"
        return app, (error(FindingCode.NO_APPLICATION, message, path="spec.appRef"),)
    if (app.api_version, app.kind, app.name) != (api_version, kind, name):
        message = f"{key}: spec.appRef is longer than what any object is called; mend it"
        return app, (error(FindingCode.NO_APPLICATION, message, path="spec.appRef"),)
    if (group_of(api_version), kind) in NO_APPLICATIONS:
        message = f"{key}: spec.appRef names a {kind}, which is never read; name what deploys it"
        return app, (error(FindingCode.NO_APPLICATION, message, path="spec.appRef"),)
    return app, ()


def _environment(entry: object, *, manifest: Manifest, namespace: str) -> Environment:
    own = mapping(entry, "promotion")
    promotion = own or mapping(manifest, "spec", "promotion")
    targets = sequence(entry, "targets")[:TARGETS_MAX]
    name = text(entry, "name")
    try:
        _refuse_long_name(name)
        strategy = read_strategy(promotion, namespace=namespace)
    except Rejected as refusal:
        no_strategy = refusal.message
        return Environment(
            name=name, targets=_targets(targets, namespace=namespace), no_strategy=no_strategy
        )
    return Environment(name=name, targets=_targets(targets, namespace=namespace), strategy=strategy)


def _limited(environments: Iterable[Environment]) -> tuple[Environment, ...]:
    """Return it with as many targets as are looked at."""
    left = TARGETS_IN_ALL_MAX
    kept: list[Environment] = []
    for environment in environments:
        kept.append(replace(environment, targets=environment.targets[:left]))
        left -= len(kept[-1].targets)
    return tuple(kept)


def _findings_of_sizes(manifest: Manifest, *, key: ObjectKey) -> Iterator[Finding]:
    """Nothing is promoted on the strength of targets that nobody looks at."""
    environments = sequence(manifest, "spec", "environments")
    if len(environments) > ENVIRONMENTS_MAX:
        message = (
            f"{key}: only the first {ENVIRONMENTS_MAX} of {len(environments)} environments are "
            "looked at; make several Pipelines of it"
        )
        yield warning(FindingCode.TOO_MANY_ENVIRONMENTS, message, path="spec.environments")
    counts = [len(sequence(entry, "targets")) for entry in environments[:ENVIRONMENTS_MAX]]
    if max(counts, default=0) > TARGETS_MAX or sum(counts) > TARGETS_IN_ALL_MAX:
        message = (
            f"{key}: has more than {TARGETS_MAX} targets in an environment, or more than "
            f"{TARGETS_IN_ALL_MAX} in all; make several Pipelines of it"
        )
        yield error(FindingCode.TOO_MANY_TARGETS, message, path="spec.environments")


def _refuse_long_name(name: str) -> None:
    if len(name.encode()) > ENVIRONMENT_NAME_BYTES_MAX:
        raise Rejected(
            ClusterRefusal.NO_STRATEGY, f"a name has at most {ENVIRONMENT_NAME_BYTES_MAX} bytes"
        )


def _targets(entries: tuple[object, ...], *, namespace: str) -> tuple[Target, ...]:
    return tuple(
        Target(
            namespace=text(entry, "namespace") or "default",
            cluster=_cluster(mapping(entry, "clusterRef"), namespace=namespace),
        )
        for entry in entries
    )


def _cluster(ref: Manifest, *, namespace: str) -> str:
    name, elsewhere = text(ref, "name"), text(ref, "namespace")
    return f"{elsewhere}/{name}" if name and elsewhere not in {"", namespace} else name


def _findings_of_environments(
    environments: tuple[Environment, ...], *, key: ObjectKey
) -> tuple[Finding, ...]:
    names = [environment.name for environment in environments]
    found: list[Finding] = []
    if not names:
        message = f"{key}: spec.environments is empty; list at least one environment"
        found.append(error(FindingCode.NO_ENVIRONMENTS, message, path="spec.environments"))
    if "" in names:
        message = f"{key}: environment {names.index('') + 1} has no name; give it one"
        path = f"spec.environments[{names.index('')}].name"
        found.append(error(FindingCode.EMPTY_ENVIRONMENT_NAME, message, path=path))
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        message = f"{key}: environment {name!r} is listed {names.count(name)} times; rename one"
        again = names.index(name, names.index(name) + 1)
        path = f"spec.environments[{again}].name"
        found.append(error(FindingCode.DUPLICATE_ENVIRONMENT, message, path=path))
    is_full = sum(len(e.targets) for e in environments) >= TARGETS_IN_ALL_MAX
    found.extend(
        warning(
            FindingCode.NO_TARGETS,
            f"{key}: environment {e.name!r} has no targets; name a namespace",
            path=f"spec.environments[{position}].targets",
        )
        for position, e in enumerate(environments)
        if not (e.targets or is_full)
    )
    return tuple(found)


def _findings_of_strategies(
    environments: tuple[Environment, ...], *, key: ObjectKey
) -> tuple[Finding, ...]:
    # Nothing is promoted into the first environment, so it needs no strategy.
    return tuple(
        warning(
            FindingCode.NO_STRATEGY,
            f"{key}: environment {e.name!r}: {e.no_strategy}",
            path=f"spec.environments[{position}].promotion",
        )
        for position, e in enumerate(environments)
        if position and e.no_strategy
    )


def _unknown(key: ObjectKey, path: str) -> Finding:
    return warning(
        FindingCode.UNKNOWN_FIELD,
        f"{key}: field {path} is not known and has no effect; check its spelling",
        path=path,
    )
