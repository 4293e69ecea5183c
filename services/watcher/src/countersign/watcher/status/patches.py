"""The patch that turns a Pipeline's status into the one that should be. Pure.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.kube.objects import Manifest, ObjectKey, mapping, sequence, text
from countersign.kube.pipelines import pipeline as pipelines
from countersign.telemetry.logs import get_logger
from countersign.watcher.model import Links
from countersign.watcher.status.content import Fields
from countersign.watcher.status.links import read_link

log = get_logger()

API_VERSION: Final = f"{pipelines.GROUP}/v1alpha1"
MANAGER: Final = "countersign-watcher"


def essence(status: Manifest) -> bytes:
    """All of it but times, and what stands for nothing; alike for statuses that say the same."""
    kept: Fields = {**status}
    conditions = [{**mapping(entry)} for entry in sequence(status, "conditions")]
    for entry in conditions:
        entry.pop("lastTransitionTime", None)
    environments = {}
    for name, entry in mapping(status, "environments").items():
        fields = {**mapping(entry)}
        if not text(fields, "waitingApproval", "revision"):
            fields.pop("waitingApproval", None)
        if fields:
            environments[name] = fields
    kept["conditions"], kept["environments"] = conditions, environments
    return json.dumps(kept, sort_keys=True).encode()


def patch_of(
    wanted: Fields, *, key: ObjectKey, version: str, current: Manifest, now: datetime
) -> Any:
    """The object to apply; `current` is the status of that `version`, and another is a conflict."""
    status: Fields = {**wanted}
    status["conditions"] = [
        {**entry, "lastTransitionTime": _since(entry, current=current, now=now)}
        for entry in wanted["conditions"]
    ]
    status["environments"] = _with_emptied(wanted, current)
    return {
        "apiVersion": API_VERSION,
        "kind": pipelines.KIND,
        "metadata": {"name": key.name, "namespace": key.namespace, "resourceVersion": version},
        "status": status,
    }


def _since(entry: Manifest, *, current: Manifest, now: datetime) -> str:
    for before in sequence(current, "conditions"):
        if text(before, "type") == entry["type"] and text(before, "status") == entry["status"]:
            return text(before, "lastTransitionTime")
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _with_emptied(wanted: Fields, current: Manifest) -> Fields:
    """Overwrite what another manager said to be waiting; it would stay for ever."""
    left = {
        name: {"waitingApproval": {"revision": ""}}
        for name, entry in mapping(current, "environments").items()
        if text(entry, "waitingApproval", "revision") and not _is_ours(entry)
    }
    return {
        **left,
        **{name: left.get(name, {}) | fields for name, fields in wanted["environments"].items()},
    }


def _is_ours(entry: Any) -> bool:
    """Tell whether we said it: beside its promotion, of which others say nothing."""
    return "promotion" in mapping(entry)


def links_in(status: Manifest, *, key: ObjectKey) -> Links:
    """The chain that the status remembers; what cannot be read of it is said and left out."""
    links = {}
    for name, entry in mapping(status, "environments").items():
        chain = mapping(entry, "chain")
        try:
            if chain:
                links[str(name)] = read_link(chain)
        except (ValueError, Rejected) as error:
            log.warning("chain.unreadable", pipeline=str(key), reason=type(error).__name__)
    return links


def path_of(key: ObjectKey) -> str:
    return f"/apis/{API_VERSION}/namespaces/{key.namespace}/pipelines/{key.name}"
