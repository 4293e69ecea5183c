"""Kubernetes objects as they lie in the directory, and the conditions in their status. Pure."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

# Manifests are other people's documents: their shape is not ours to type.
Json: TypeAlias = dict[str, Any]

GROUP_BY_KIND = {
    "GitRepository": "source.toolkit.fluxcd.io",
    "HelmRelease": "helm.toolkit.fluxcd.io",
    "HelmRepository": "source.toolkit.fluxcd.io",
    "Kustomization": "kustomize.toolkit.fluxcd.io",
    "OCIRepository": "source.toolkit.fluxcd.io",
    "Pipeline": "pipelines.weave.works",
}
NEVER_OBSERVED = -1
# What Flux writes between two steps that take no time; recorded: 3 to 30 ms.
PAUSE_S = 0.02
_RANK = {"Reconciling": "0", "Stalled": "1", "Ready": "2"}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Key(NamedTuple):
    """The identity of an object within the cluster."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Moment:
    """The time at which a status is written, and the generation that the object has by then.

    Conditions are stamped with the newest generation, even where an older one was reconciled, as
    Flux does.
    """

    generation: int
    now: datetime


Change: TypeAlias = Callable[[Json, Moment], Json]


@dataclass(frozen=True)
class Phase:
    """One write of a status: how long to wait for it, and what it makes of the status before."""

    change: Change
    pause_s: float = PAUSE_S


@dataclass(frozen=True)
class Condition:
    type: str
    status: str
    reason: str
    message: str


def key_of(manifest: Json) -> Key:
    metadata = manifest["metadata"]
    return Key(manifest["kind"], metadata.get("namespace") or "default", metadata["name"])


def stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest_of(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def seconds_of(duration: str, *, default_s: float) -> float:
    """Read Go's way to write a duration, `1m30s`."""
    parts = _DURATION_PART.findall(duration or "")
    return sum(float(n) * _SECONDS[unit] for n, unit in parts) if parts else default_s


def go_duration(seconds: float) -> str:
    """Format a duration as Go prints it: `1m0s`, `30s`, `250ms`."""
    if seconds < 1:
        return f"{seconds * 1000:.6g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.9g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def condition(status: Json, kind: str) -> Json:
    """The condition of that type; empty where there is none."""
    found = (c for c in status.get("conditions", ()) if c["type"] == kind)
    return next(found, {})


def is_true(status: Json, kind: str) -> bool:
    return bool(condition(status, kind).get("status") == "True")


def conditioned(status: Json, moment: Moment, *wanted: Condition, drop: Iterable[str] = ()) -> Json:
    """The status with these conditions set and those of the types `drop` removed.

    The time of a transition changes when status, reason or message do.
    """
    gone = set(drop)
    kept = {c["type"]: c for c in status.get("conditions", ()) if c["type"] not in gone}
    for one in wanted:
        before = kept.get(one.type, {})
        same = (before.get("status"), before.get("reason"), before.get("message")) == (
            one.status,
            one.reason,
            one.message,
        )
        kept[one.type] = {
            "lastTransitionTime": before["lastTransitionTime"] if same else stamp(moment.now),
            "message": one.message,
            "observedGeneration": moment.generation,
            "reason": one.reason,
            "status": one.status,
            "type": one.type,
        }
    ordered = sorted(kept.values(), key=lambda c: _RANK.get(c["type"], "3" + c["type"]))
    return {**status, "conditions": ordered}


def observed(generation: int) -> Change:
    """The last write of every reconciliation."""
    return lambda status, _: {**status, "observedGeneration": generation}
