"""Rule K: what a Kustomization v1 has applied, and whether healthily.

Source: https://fluxcd.io/flux/components/kustomize/kustomizations/#kustomization-status
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from countersign.contracts.messages import Content, EnvironmentCondition, Revision
from countersign.contracts.revision import parse_revision
from countersign.kube.flux.applications import App, AppState, Source, sentence
from countersign.kube.flux.conditions import Condition, condition, unhealthy_since
from countersign.kube.objects import (
    Manifest,
    ObjectKey,
    integer,
    key_of,
    mapping,
    moment,
    sequence,
    text,
)

GROUP: Final = "kustomize.toolkit.fluxcd.io"
KIND: Final = "Kustomization"
SOURCE_GROUP: Final = "source.toolkit.fluxcd.io"
SOURCE_KINDS: Final = frozenset({"GitRepository", "OCIRepository", "Bucket"})


def read_source(manifest: Manifest) -> Source:
    return Source(
        key=key_of(manifest),
        artifact_revision=text(manifest, "status", "artifact", "revision"),
        url=text(manifest, "spec", "url"),
    )


def read_kustomization(manifest: Manifest) -> App:
    """Its state still depends on the source: see `settle`."""
    key = key_of(manifest)
    ready = condition(manifest, "Ready")
    generation = integer(manifest, "metadata", "generation")
    applied = text(manifest, "status", "lastAppliedRevision")
    is_there = (
        generation is not None
        and integer(manifest, "status", "observedGeneration") == generation
        and ready.is_true
        and ready.observed_generation == generation
        and not condition(manifest, "Reconciling").is_true
        and applied != ""
        and applied == text(manifest, "status", "lastAttemptedRevision")
    )
    found, message = _condition(manifest, ready=ready, is_there=is_there)
    healthy = found is EnvironmentCondition.HEALTHY
    content = _content(manifest, applied) if healthy else None
    state = AppState(
        condition=found,
        message="" if healthy else sentence(KIND, key.name, message),
        content=content,
        last=parse_revision(applied) if applied else None,
        attempted=text(manifest, "status", "lastAttemptedRevision"),
        since=_applied_since(manifest) if healthy else unhealthy_since(manifest, ready=ready),
        checked=_is_checked(manifest),
    )
    return App(key=key, state=state, source=_source_key(manifest, key=key))


def settle(app: App, *, source: Source | None) -> AppState:
    """The state in the light of the source: `Ready` stays True while a new revision waits."""
    state, key = app.state, app.source
    if key is None or state.condition is not EnvironmentCondition.HEALTHY:
        return state
    if source is None or not source.artifact_revision:
        why = f"its source {key} cannot be read, so its revision may be stale"
        return _unsettled(app, EnvironmentCondition.UNKNOWN, why)
    if state.content is not None and source.artifact_revision != state.content.revision.recorded:
        why = f"its source is at {source.artifact_revision}, which is not applied yet"
        return _unsettled(app, EnvironmentCondition.PROGRESSING, why)
    return state


def _unsettled(app: App, found: EnvironmentCondition, why: str) -> AppState:
    message = sentence(KIND, app.key.name, why)
    return replace(app.state, condition=found, message=message, content=None, since=None)


def _condition(
    manifest: Manifest, *, ready: Condition, is_there: bool
) -> tuple[EnvironmentCondition, str]:
    if mapping(manifest, "metadata").get("deletionTimestamp"):
        return EnvironmentCondition.MISSING, "is being deleted"
    if mapping(manifest, "spec").get("suspend") is True:
        return EnvironmentCondition.SUSPENDED, "is suspended"
    if is_there:
        return EnvironmentCondition.HEALTHY, ""
    generation = integer(manifest, "metadata", "generation")
    reconciling = condition(manifest, "Reconciling")
    retrying = reconciling.reason == "ProgressingWithRetry" or not reconciling.is_true
    if ready.is_false and ready.observed_generation == generation and retrying:
        return EnvironmentCondition.FAILED, ready.message
    progress = reconciling.message if reconciling.is_true else ""
    return EnvironmentCondition.PROGRESSING, progress or "is being reconciled"


def _content(manifest: Manifest, applied: str) -> Content:
    history = sequence(manifest, "status", "history")
    revision = parse_revision(applied)
    digest = text(history[0], "digest") if history else ""
    return Content(identity=digest or _there(revision), revision=revision)


def _there(revision: Revision) -> str:
    return revision.commit or revision.digest or revision.recorded


def _applied_since(manifest: Manifest) -> datetime | None:
    history = sequence(manifest, "status", "history")
    return moment(history[0], "firstReconciled") if history else None


def _is_checked(manifest: Manifest) -> bool:
    spec = mapping(manifest, "spec")
    return spec.get("wait") is True or bool(sequence(spec, "healthChecks"))


def _source_key(manifest: Manifest, *, key: ObjectKey) -> ObjectKey | None:
    ref = mapping(manifest, "spec", "sourceRef")
    kind, name = text(ref, "kind"), text(ref, "name")
    if not (kind and name):
        return None
    namespace = text(ref, "namespace") or key.namespace
    return ObjectKey(group=SOURCE_GROUP, kind=kind, namespace=namespace, name=name)
