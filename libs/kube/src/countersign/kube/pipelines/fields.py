"""The fields that a Pipeline may have: those of the CRD and our additions."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from countersign.kube.objects import Manifest

UNKNOWN_FIELDS_MAX: Final = 20
# A few lines of YAML with aliases can stand for millions of entries.
ENTRIES_MAX: Final = 200
# A mapping names what may be in an object; a list of one, what may be in each entry; `None` stands
# for anything.
_Shape = Mapping[str, Any] | list[Any] | None

_SECRET: Final = {"name": None}
_PULL_REQUEST: Final = {
    "type": None,
    "url": None,
    "baseBranch": None,
    "secretRef": _SECRET,
    "credential": None,
    "path": None,
}
_PROMOTION: Final = {
    "manual": None,
    "approvals": None,
    "soloMode": None,
    "reasonRequired": None,
    "semver": None,
    "autoMerge": None,
    "strategy": {"pull-request": _PULL_REQUEST, "notification": None, "secretRef": _SECRET},
}
_CLUSTER: Final = {"apiVersion": None, "kind": None, "name": None, "namespace": None}
_PIPELINE: Final[_Shape] = {
    "apiVersion": None,
    "kind": None,
    "metadata": None,
    "status": None,
    "spec": {
        "appRef": {"apiVersion": None, "kind": None, "name": None},
        "promotion": _PROMOTION,
        "environments": [
            {
                "name": None,
                "promotion": _PROMOTION,
                "targets": [{"namespace": None, "clusterRef": _CLUSTER}],
            }
        ],
    },
}


def unknown_fields(manifest: Manifest) -> tuple[str, ...]:
    """Paths of fields that nobody reads, at most twenty."""
    return tuple(islice(_unknown(manifest, _PIPELINE, ""), UNKNOWN_FIELDS_MAX))


def _unknown(value: object, shape: _Shape, path: str) -> Iterator[str]:
    if isinstance(shape, list) and isinstance(value, list):
        for position, entry in enumerate(value[:ENTRIES_MAX]):
            yield from _unknown(entry, shape[0], f"{path}[{position}]")
    if isinstance(shape, Mapping) and isinstance(value, Mapping):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else str(name)
            if name not in shape:
                yield here
            else:
                yield from _unknown(inner, shape[name], here)
