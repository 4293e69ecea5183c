"""The phases of a HelmRelease, in the order and with the fields that helm-controller writes.

Taken from recordings of helm-controller 1.6. Pure: what the phases are is decided at the start
from the object, the chart and the fate that the control file gives it.
"""

from collections.abc import Iterator

from countersign.local.cluster.control import Fate
from countersign.local.cluster.controllers import history as past
from countersign.local.cluster.controllers.attempt import (
    Attempt,
    progressing,
    released,
    running,
    settled,
)
from countersign.local.cluster.controllers.history import Chart
from countersign.local.cluster.controllers.remediation import failures
from countersign.local.cluster.objects import (
    Change,
    Condition,
    Json,
    Moment,
    Phase,
    conditioned,
    observed,
)

_COUNTERS = ("failures", "installFailures", "upgradeFailures")


def is_in_sync(status: Json, chart: Chart) -> bool:
    """Tell if the newest version of the release is the one that the object asks for."""
    first = (status.get("history") or [{}])[0]
    return bool(
        first.get("status") == "deployed"
        and first.get("chartVersion") == chart.version
        and first.get("configDigest") == chart.config_digest
    )


def phases(manifest: Json, attempt: Attempt) -> Iterator[Phase]:
    """All that is written until the release is steady, failed or rolled back for good."""
    status = manifest.get("status", {})
    if manifest["spec"].get("suspend"):
        yield Phase(observed(attempt.generation))
        return
    spec_changed = status.get("observedGeneration") != attempt.generation
    yield Phase(progressing("Fulfilling prerequisites"))
    if spec_changed and "chartRef" not in manifest["spec"]:
        yield Phase(lambda status, _: {**status, "helmChart": _helm_chart(manifest)})
        yield Phase(_source_not_ready(manifest))
    if attempt.fate is Fate.MISSING:
        return
    if is_in_sync(status, attempt.chart) and attempt.fate is not Fate.NEVER_READY:
        yield from _in_sync(attempt)
        return
    yield Phase(running(attempt, attempt.action))
    yield Phase(_attempted(attempt))
    if attempt.fate is Fate.SUCCEED:
        yield from _success(attempt)
    else:
        yield from failures(attempt)


def _helm_chart(manifest: Json) -> str:
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    return f"{namespace}/{namespace}-{name}"


def _source_not_ready(manifest: Json) -> Change:
    reason = "latest generation of object has not been reconciled"
    message = f"HelmChart '{_helm_chart(manifest)}' is not ready: {reason}"
    wanted = Condition("Ready", "False", "SourceNotReady", message)
    return lambda status, moment: conditioned(status, moment, wanted)


def _attempted(attempt: Attempt) -> Change:
    def change(status: Json, _: Moment) -> Json:
        known = (
            status.get("lastAttemptedGeneration"),
            status.get("lastAttemptedRevision"),
            status.get("lastAttemptedConfigDigest"),
        )
        wanted = (attempt.generation, attempt.chart.version, attempt.chart.config_digest)
        dropped = () if known == wanted else _COUNTERS
        kept = {k: v for k, v in status.items() if k not in dropped}
        return kept | _attempt_fields(attempt) | {"storageNamespace": attempt.release.namespace}

    return change


def _attempt_fields(attempt: Attempt) -> Json:
    fields = {
        "lastAttemptedConfigDigest": attempt.chart.config_digest,
        "lastAttemptedGeneration": attempt.generation,
        "lastAttemptedRevision": attempt.chart.version,
    }
    digest = attempt.chart.oci_digest
    return fields | ({"lastAttemptedRevisionDigest": digest} if digest else {})


def _in_sync(attempt: Attempt) -> Iterator[Phase]:
    """The version was put back to what a rollback left running: nothing is done."""

    def ready(status: Json, moment: Moment) -> Json:
        first = status["history"][0]
        word = "install" if first["version"] == 1 else "upgrade"
        text = f"Helm {word} succeeded for release {attempt.title}.v{first['version']}"
        message = f"{text} with chart {attempt.chart_text}"
        wanted = (
            Condition("Ready", "True", f"{word.capitalize()}Succeeded", message),
            Condition("Released", "True", f"{word.capitalize()}Succeeded", message),
        )
        return conditioned(status, moment, *wanted, drop=("Reconciling", "Remediated", "Stalled"))

    def settled(status: Json, _: Moment) -> Json:
        kept = {k: v for k, v in status.items() if k not in _COUNTERS}
        return kept | _attempt_fields(attempt) | {"observedGeneration": attempt.generation}

    yield Phase(ready)
    yield Phase(settled)


def _success(attempt: Attempt) -> Iterator[Phase]:
    """Four writes within milliseconds; only the last is the truth."""

    def ready(status: Json, moment: Moment) -> Json:
        version = _next_version(status, attempt)
        text = f"Helm {attempt.action} succeeded for release {attempt.title}.v{version}"
        message = f"{text} with chart {attempt.chart_text}"
        reason = f"{attempt.past_tense}Succeeded"
        wanted = (
            Condition("Ready", "True", reason, message),
            Condition("Released", "True", reason, message),
        )
        return conditioned(status, moment, *wanted, drop=("Remediated",))

    def recorded(status: Json, moment: Moment) -> Json:
        entries = status.get("history", [])
        action, now = attempt.action, moment.now
        new = past.entry(entries, attempt.release, attempt.chart, action=action, now=now)
        return released(status, attempt, past.with_success(entries, new))

    yield Phase(ready, attempt.pace.action_s)
    yield Phase(recorded)
    yield Phase(lambda status, moment: conditioned(status, moment, drop=("Reconciling",)))
    yield Phase(settled(attempt))


def _next_version(status: Json, attempt: Attempt) -> int:
    fresh = attempt.action == "install"
    return 1 if fresh else past.latest_version(status.get("history", [])) + 1
