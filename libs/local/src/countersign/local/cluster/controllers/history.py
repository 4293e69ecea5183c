"""The `history` that Flux keeps of a Helm release. Pure.

The first entry is the newest; how the others change was taken from recordings of helm-controller.
"""

from dataclasses import dataclass
from datetime import datetime

from countersign.local.cluster.objects import Json, digest_of, stamp


@dataclass(frozen=True)
class Chart:
    """An installed chart: version, OCI digest where there is one, digest of its values."""

    name: str
    version: str
    config_digest: str
    oci_digest: str = ""


@dataclass(frozen=True)
class Release:
    """Name and namespace under which Helm stores it."""

    namespace: str
    name: str


def entry(
    history: list[Json], release: Release, chart: Chart, *, action: str, now: datetime
) -> Json:
    """The snapshot of a new version of the release, not yet judged."""
    first = history[-1]["firstDeployed"] if history and action != "install" else stamp(now)
    made = {
        "action": action,
        "apiVersion": "v2",
        "appVersion": chart.version.partition("+")[0],
        "chartName": chart.name,
        "chartVersion": chart.version,
        "configDigest": chart.config_digest,
        "firstDeployed": first,
        "lastDeployed": stamp(now),
        "name": release.name,
        "namespace": release.namespace,
        "version": 1 if action == "install" else latest_version(history) + 1,
    }
    return made | ({"ociDigest": chart.oci_digest} if chart.oci_digest else {})


def latest_version(history: list[Json]) -> int:
    return max((h["version"] for h in history), default=0)


def deployed(history: list[Json]) -> Json | None:
    """Return the version that a rollback goes back to: the last one deployed and not replaced."""
    return next((h for h in history if h["status"] == "deployed"), None)


def with_success(history: list[Json], new: Json) -> list[Json]:
    if new["action"] == "install":
        return [_judged(new, "deployed")]
    replaced = deployed(history) or (history[0] if history else None)
    before = [_judged(h, "superseded", "") if h is replaced else h for h in history]
    return [_judged(new, "deployed"), *before]


def with_failure(history: list[Json], new: Json) -> list[Json]:
    if new["action"] == "install":
        return [_judged(new, "failed")]
    kept = deployed(history)
    before = [_judged(h, "deployed", "") if h is kept else h for h in history]
    return [_judged(new, "failed"), *before]


def with_rollback(history: list[Json], *, now: datetime) -> list[Json]:
    """Deploy an earlier version again, as a version of its own."""
    target = deployed(history)
    if target is None:
        return history
    again = {
        **target,
        "action": "rollback",
        "lastDeployed": stamp(now),
        "version": latest_version(history) + 1,
    }
    before = [_judged(h, "superseded", "rollback") if h is target else h for h in history]
    return [_judged(again, "deployed"), *before]


def with_uninstall(history: list[Json]) -> list[Json]:
    return [_judged(history[0], "uninstalling", "uninstall-remediation")] if history else []


def truncated(history: list[Json]) -> list[Json]:
    """Entries older than the one that could be rolled back to are forgotten."""
    for place, one in enumerate(history[1:], start=1):
        if one["status"] in {"deployed", "superseded"}:
            return history[: place + 1]
    return history


def _judged(one: Json, status: str, action: str | None = None) -> Json:
    """The entry with another status; an empty action is left out, none keeps what was there."""
    rest = {k: v for k, v in one.items() if k not in {"digest", "status"}}
    if action is not None:
        rest.pop("action", None)
        rest |= {"action": action} if action else {}
    judged = rest | {"status": status}
    return judged | {"digest": digest_of(judged)}
