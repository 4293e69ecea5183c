"""One attempt at a Helm release, and the writes of a status that its outcomes share. Pure."""

from dataclasses import dataclass
from typing import Final

from countersign.local.cluster.control import Fate
from countersign.local.cluster.controllers import history as past
from countersign.local.cluster.controllers.history import Chart, Release
from countersign.local.cluster.objects import (
    Change,
    Condition,
    Json,
    Moment,
    conditioned,
    digest_of,
    go_duration,
    seconds_of,
)

TIMEOUT_S: Final = 300.0
EMPTY_DIGEST: Final = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True)
class Pace:
    """Durations of the phases of a reconciliation, in seconds."""

    action_s: float = 0.5
    retry_s: float = 10.0
    timeout_s_max: float = 30.0


@dataclass(frozen=True)
class Attempt:
    """One reconciliation: everything its phases need to know."""

    release: Release
    chart: Chart
    generation: int
    action: str
    fate: Fate
    timeout_s: float
    retries: int
    remediate_last: bool
    pace: Pace

    @property
    def limit(self) -> str:
        return go_duration(self.timeout_s)

    @property
    def title(self) -> str:
        return f"{self.release.namespace}/{self.release.name}"

    @property
    def past_tense(self) -> str:
        return f"{self.action.capitalize()}"

    @property
    def chart_text(self) -> str:
        return f"{self.chart.name}@{self.chart.version}"


def config_digest(spec: Json) -> str:
    values = spec.get("values")
    return digest_of(values) if values else EMPTY_DIGEST


def attempt_of(manifest: Json, chart: Chart, *, fate: Fate, pace: Pace) -> Attempt:
    spec, metadata = manifest["spec"], manifest["metadata"]
    entries: list[Json] = manifest.get("status", {}).get("history", [])
    gone = not entries or entries[0]["status"] in {"uninstalling", "uninstalled"}
    action = "install" if gone else "upgrade"
    remediation = (spec.get(action) or {}).get("remediation") or {}
    retries = max(0, int(remediation.get("retries") or 0))
    asked = seconds_of(spec.get("timeout", ""), default_s=TIMEOUT_S)
    return Attempt(
        release=Release(
            namespace=spec.get("storageNamespace") or metadata["namespace"],
            name=spec.get("releaseName") or metadata["name"],
        ),
        chart=chart,
        generation=metadata["generation"],
        action=action,
        fate=fate,
        timeout_s=asked,
        retries=retries,
        remediate_last=fate is Fate.ROLLBACK
        or bool(remediation.get("remediateLastFailure", action == "upgrade" and retries > 0)),
        pace=pace,
    )


def progressing(message: str, reason: str = "Progressing") -> Change:
    wanted = Condition("Reconciling", "True", reason, message)
    return lambda status, moment: conditioned(status, moment, wanted, drop=("Stalled",))


def running(attempt: Attempt, action: str) -> Change:
    message = f"Running '{action}' action with timeout of {attempt.limit}"
    wanted = (
        Condition("Reconciling", "True", "Progressing", message),
        Condition("Ready", "Unknown", "Progressing", message),
    )
    return lambda status, moment: conditioned(status, moment, *wanted)


def settled(attempt: Attempt) -> Change:
    def change(status: Json, _: Moment) -> Json:
        entries = past.truncated(status["history"])
        return {**status, "history": entries, "observedGeneration": attempt.generation}

    return change


def released(status: Json, attempt: Attempt, entries: list[Json]) -> Json:
    prefix = f"{attempt.release.namespace}_{attempt.release.name}"
    inventory = [{"id": f"{prefix}__ConfigMap", "v": "v1"}]
    inventory.append({"id": f"{prefix}_apps_Deployment", "v": "v1"})
    return {
        **status,
        "history": entries,
        "inventory": {"entries": inventory},
        "lastAttemptedReleaseAction": attempt.action,
        "lastAttemptedReleaseActionDuration": go_duration(attempt.pace.action_s),
    }
