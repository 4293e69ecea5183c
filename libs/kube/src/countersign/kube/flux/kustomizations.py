"""Rule K: what a Kustomization v1 has applied, and whether healthily.

Source: https://fluxcd.io/flux/components/kustomize/kustomizations/#kustomization-status
"""

from datetime import datetime
from typing import Final

from countersign.contracts.messages import Content, EnvironmentCondition, Revision
from countersign.contracts.revision import parse_revision
from countersign.kube.flux.applications import App, AppState, sentence
from countersign.kube.flux.conditions import Condition, condition, unhealthy_since
from countersign.kube.flux.sources import source_key
from countersign.kube.objects import (
    Manifest,
    integer,
    key_of,
    mapping,
    moment,
    sequence,
    text,
)

GROUP: Final = "kustomize.toolkit.fluxcd.io"
KIND: Final = "Kustomization"


def read_kustomization(manifest: Manifest) -> App:
    """Read it; its state still depends on the source: see `sources.settle`."""
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
    return App(
        key=key, state=state, source=source_key(mapping(manifest, "spec", "sourceRef"), of=key)
    )


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
