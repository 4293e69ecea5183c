"""The phases of a Kustomization, in the order and with the fields that kustomize-controller writes.

Taken from recordings of kustomize-controller 1.9. Pure: the source's artifact was read and built
before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from countersign.local.cluster.control import Fate
from countersign.local.cluster.controllers.attempt import Pace
from countersign.local.cluster.controllers.building import Build
from countersign.local.cluster.objects import (
    Change,
    Condition,
    Json,
    Moment,
    Phase,
    conditioned,
    go_duration,
    observed,
    seconds_of,
    stamp,
)

HISTORY_MAX: Final = 5  # as kustomize-controller keeps
# kustomize-controller treats a shorter `spec.timeout` as this.
TIMEOUT_S_MIN: Final = 30.0
INTERVAL_S: Final = 60.0


@dataclass(frozen=True)
class Application:
    """One reconciliation of one Kustomization."""

    generation: int
    revision: str
    build: Build
    fate: Fate
    waits: bool
    timeout_s: float
    pace: Pace

    def saying(self, what: str) -> str:
        return f"{what} for revision {self.revision} with a timeout of {self.limit}"

    @property
    def limit(self) -> str:
        return go_duration(self.timeout_s)


def application_of(
    manifest: Json, *, revision: str, build: Build, fate: Fate, pace: Pace
) -> Application:
    spec = manifest["spec"]
    interval_s = seconds_of(spec.get("interval", ""), default_s=INTERVAL_S)
    return Application(
        generation=manifest["metadata"]["generation"],
        revision=revision,
        build=build,
        fate=fate,
        waits=bool(spec.get("wait") or spec.get("healthChecks")),
        timeout_s=max(TIMEOUT_S_MIN, seconds_of(spec.get("timeout", ""), default_s=interval_s)),
        pace=pace,
    )


def phases(manifest: Json, one: Application) -> Iterator[Phase]:
    """All that is written until the revision is applied or has failed this time."""
    if manifest["spec"].get("suspend"):
        yield Phase(observed(one.generation))
        return
    yield Phase(_progressing(one.saying("Fetching manifests")))
    if one.build.missing_path:
        yield Phase(_failed("ArtifactFailed", one.build.problem))
        return
    yield Phase(_progressing(one.saying("Building manifests")))
    yield Phase(lambda status, _: {**status, "lastAttemptedRevision": one.revision})
    if one.build.problem:
        yield Phase(_failed("BuildFailed", one.build.problem))
        return
    yield Phase(_progressing(one.saying("Detecting drift")))
    if one.fate in {Fate.FAIL, Fate.ROLLBACK, Fate.MISSING}:
        problem = "dry-run failed (Invalid): refused, as the control file demands"
        yield Phase(_failed("ReconciliationFailed", problem), one.pace.action_s)
        yield Phase(_recorded(one, "ReconciliationFailed"))
        return
    if one.waits:
        yield from _health(one)
        if one.fate is Fate.NEVER_READY:
            return
    yield Phase(_applied(one), 0 if one.waits else one.pace.action_s)
    yield Phase(_settled(one))


def source_not_ready(message: str) -> Phase:
    """There is no artifact yet, or the source is not there."""
    wanted = Condition("Ready", "False", "ArtifactFailed", message)
    return Phase(lambda status, moment: conditioned(status, moment, wanted))


def _progressing(message: str) -> Change:
    wanted = (
        Condition("Reconciling", "True", "Progressing", message),
        Condition("Ready", "Unknown", "Progressing", "Reconciliation in progress"),
    )
    return lambda status, moment: conditioned(status, moment, *wanted)


def _health(one: Application) -> Iterator[Phase]:
    message = one.saying("Running health checks")
    wanted = (
        Condition("Reconciling", "True", "Progressing", message),
        Condition("Healthy", "Unknown", "Progressing", message),
    )
    inventory = {"entries": [dict(e) for e in one.build.inventory]}
    yield Phase(lambda status, moment: conditioned(status, moment, *wanted))
    yield Phase(lambda status, _: {**status, "inventory": inventory})
    if one.fate is not Fate.NEVER_READY:
        passed = f"Health check passed in {go_duration(one.pace.action_s)}"
        good = Condition("Healthy", "True", "Succeeded", passed)
        yield Phase(lambda status, moment: conditioned(status, moment, good), one.pace.action_s)
        return
    limit_s = min(one.timeout_s, one.pace.timeout_s_max)
    cause = f"timeout waiting for: [{one.build.workload} status: 'InProgress']"
    problem = f"health check failed after {go_duration(limit_s)}: {cause}"
    bad = Condition("Healthy", "False", "HealthCheckFailed", cause)

    def failed(status: Json, moment: Moment) -> Json:
        after = _failed("HealthCheckFailed", problem)(status, moment)
        return conditioned(after, moment, bad)

    yield Phase(failed, limit_s)
    yield Phase(_recorded(one, "HealthCheckFailed"))


def _failed(reason: str, message: str) -> Change:
    ready = Condition("Ready", "False", reason, message)

    def change(status: Json, moment: Moment) -> Json:
        doing = next(
            (c["message"] for c in status.get("conditions", ()) if c["type"] == "Reconciling"),
            message,
        )
        again = Condition("Reconciling", "True", "ProgressingWithRetry", doing)
        return conditioned(status, moment, again, ready)

    return change


def _applied(one: Application) -> Change:
    message = f"Applied revision: {one.revision}"
    ready = Condition("Ready", "True", "ReconciliationSucceeded", message)
    return lambda status, moment: conditioned(status, moment, ready, drop=("Reconciling",))


def _settled(one: Application) -> Change:
    def change(status: Json, moment: Moment) -> Json:
        after = _recorded(one, "ReconciliationSucceeded")(status, moment)
        return after | {
            "inventory": {"entries": [dict(e) for e in one.build.inventory]},
            "lastAppliedRevision": one.revision,
            "observedGeneration": one.generation,
        }

    return change


def _recorded(one: Application, outcome: str) -> Change:
    """The same manifests with the same outcome as the newest entry are counted in it."""

    def change(status: Json, moment: Moment) -> Json:
        entries: list[Json] = status.get("history", [])
        now = stamp(moment.now)
        head = {
            "digest": one.build.digest,
            "firstReconciled": now,
            "lastReconciled": now,
            "lastReconciledDuration": go_duration(one.pace.action_s),
            "lastReconciledStatus": outcome,
            "metadata": {"revision": one.revision},
            "totalReconciliations": 1,
        }
        first = entries[0] if entries else {}
        if (first.get("digest"), first.get("lastReconciledStatus")) == (head["digest"], outcome):
            head["firstReconciled"] = first["firstReconciled"]
            head["totalReconciliations"] = first["totalReconciliations"] + 1
            entries = entries[1:]
        return {**status, "history": [head, *entries][:HISTORY_MAX]}

    return change
