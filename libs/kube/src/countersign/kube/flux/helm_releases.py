"""Rule H: what a HelmRelease v2 runs, and whether healthily.

No single field names the running revision: `Ready` is True for a moment about the old release when
the new one is asked for, and about the new one before it is recorded. The rule was derived from
recordings of the real controllers; the tests replay them.
Source: https://fluxcd.io/flux/components/helm/helmreleases/#helmrelease-status
"""

from typing import Final

from countersign.contracts.messages import Content, EnvironmentCondition, Revision
from countersign.contracts.revision import parse_revision
from countersign.kube.flux.applications import App, AppState, Trial, sentence
from countersign.kube.flux.conditions import Condition, condition, unhealthy_since
from countersign.kube.flux.sources import source_key
from countersign.kube.objects import Manifest, integer, key_of, mapping, moment, sequence, text

GROUP: Final = "helm.toolkit.fluxcd.io"
KIND: Final = "HelmRelease"
_RAN: Final = frozenset({"deployed", "superseded"})
_REVISION_STRATEGY: Final = (
    "this HelmRelease takes its chart with reconcileStrategy Revision: its version names a commit "
    "that cannot be asked for in another environment; use ChartVersion"
)


def read_helm_release(manifest: Manifest) -> App:
    ready = condition(manifest, "Ready")
    generation = integer(manifest, "metadata", "generation")
    history = [entry for entry in sequence(manifest, "status", "history") if mapping(entry)]
    newest = mapping(history[0]) if history else {}
    runs_healthily = (
        not mapping(manifest, "metadata").get("deletionTimestamp")
        and generation is not None
        and integer(manifest, "status", "observedGeneration") == generation
        and ready.is_true
        and ready.observed_generation == generation
        and not condition(manifest, "Reconciling").is_true
        and not condition(manifest, "Stalled").is_true
        and text(newest, "status") == "deployed"
        and text(newest, "chartVersion") != ""
        and text(newest, "chartVersion") == text(manifest, "status", "lastAttemptedRevision")
    )
    key = key_of(manifest)
    chart = mapping(manifest, "spec", "chartRef")
    return App(
        key=key,
        # Of the other kinds, charts are made by a HelmChart in between.
        source=source_key(chart, of=key) if text(chart, "kind") == "OCIRepository" else None,
        state=_state(manifest, ready=ready, history=history, runs_healthily=runs_healthily),
    )


def _state(
    manifest: Manifest, *, ready: Condition, history: list[Manifest], runs_healthily: bool
) -> AppState:
    found, message = _condition(manifest, ready=ready, runs_healthily=runs_healthily)
    healthy = found is EnvironmentCondition.HEALTHY
    strategy = text(manifest, "spec", "chart", "spec", "reconcileStrategy")
    return AppState(
        condition=found,
        message="" if healthy else sentence(KIND, text(manifest, "metadata", "name"), message),
        content=_content(history[0]) if healthy else None,
        last=_last(history, manifest),
        attempted=text(manifest, "status", "lastAttemptedRevision"),
        rolled_back=_rolled_back(manifest, ready=ready, history=history),
        trials=_trials(history),
        since=moment(history[0], "lastDeployed")
        if healthy
        else unhealthy_since(manifest, ready=ready),
        not_promotable=_REVISION_STRATEGY if strategy == "Revision" else "",
        chart=text(history[0], "chartName") if healthy else "",
    )


def _condition(
    manifest: Manifest, *, ready: Condition, runs_healthily: bool
) -> tuple[EnvironmentCondition, str]:
    if mapping(manifest, "metadata").get("deletionTimestamp"):
        return EnvironmentCondition.MISSING, "is being deleted"
    if mapping(manifest, "spec").get("suspend") is True:
        return EnvironmentCondition.SUSPENDED, "is suspended"
    if runs_healthily:
        return EnvironmentCondition.HEALTHY, ""
    reconciling = condition(manifest, "Reconciling")
    generation = integer(manifest, "metadata", "generation")
    of_now = ready.observed_generation == generation
    retrying = reconciling.reason == "ProgressingWithRetry" or not reconciling.is_true
    if ready.is_false and of_now and (retrying or condition(manifest, "Stalled").is_true):
        return EnvironmentCondition.FAILED, _why(manifest, ready=ready)
    progress = reconciling.message if reconciling.is_true else ""
    return EnvironmentCondition.PROGRESSING, progress or "is being reconciled"


def _why(manifest: Manifest, *, ready: Condition) -> str:
    """Say all that Flux says of a failure.

    `Ready` alone may only tell what was done about it, or what a newer request broke off.
    """
    named = (condition(manifest, name) for name in ("Released", "TestSuccess", "Remediated"))
    of_now = (c for c in named if c.observed_generation == ready.observed_generation)
    told = [ready.message, *(c.message for c in of_now if c.is_false)]
    stalled = condition(manifest, "Stalled")
    told += [stalled.message] if stalled.is_true else []
    kept = [m for i, m in enumerate(told) if m and not any(m in before for before in told[:i])]
    return "; ".join(kept)


def _content(entry: Manifest) -> Content | None:
    version, digest = text(entry, "chartVersion"), text(entry, "ociDigest")
    if not version:
        return None
    return Content(
        identity=f"{version}@{digest}" if digest else version,
        revision=parse_revision(version, digest=digest),
    )


def _last(history: list[Manifest], manifest: Manifest) -> Revision | None:
    """The newest release that Helm finished; the list is not sorted beyond its first entry."""
    # Where failures of tests are ignored, the release counts as it does for `content`.
    ignored = mapping(manifest, "spec", "test").get("ignoreFailures") is True
    finished = [entry for entry in history if text(entry, "status") in _RAN]
    ran = [entry for entry in finished if ignored or _tests_passed(entry)]
    if not ran:
        return None
    return _revision(max(ran, key=lambda entry: integer(entry, "version") or 0))


def _revision(entry: Manifest) -> Revision | None:
    content = _content(entry)
    return content.revision if content else None


def _tests_passed(entry: Manifest) -> bool:
    hooks = mapping(entry, "testHooks").values()
    return all(text(hook, "phase") in {"", "Succeeded"} for hook in hooks)


def _rolled_back(
    manifest: Manifest, *, ready: Condition, history: list[Manifest]
) -> Revision | None:
    generation = integer(manifest, "metadata", "generation")
    for_good = (
        ready.is_false
        and ready.reason == "RollbackSucceeded"
        and condition(manifest, "Stalled").is_true
        and integer(manifest, "status", "observedGeneration") == generation
    )
    if for_good and history and text(history[0], "status") == "deployed":
        return _revision(history[0])
    return None


def _trials(history: list[Manifest]) -> tuple[Trial, ...]:
    dated = [(text(e, "chartVersion"), moment(e, "lastDeployed")) for e in history]
    return tuple(Trial(recorded=version, at=at) for version, at in dated if version and at)
