"""Identity of objects, and the fields of untyped manifests.

Everything that comes from a manifest passes through here once; a field of the wrong type reads as
absent, because another version of the API may well have changed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.wire.times import plausible
from countersign.kube.refusals import ClusterRefusal

Manifest = Mapping[str, Any]
# Longest that Kubernetes accepts for names of objects, in characters.
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
NAME_CHARACTERS_MAX: Final = 253


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """An object; the version of its API does not matter.

    `cluster` is empty for the watcher's own, else namespace and name of a GitopsCluster.
    """

    group: str
    kind: str
    namespace: str
    name: str
    cluster: str = ""

    def __str__(self) -> str:
        place = f" in cluster {self.cluster}" if self.cluster else ""
        return f"{self.kind} {self.namespace}/{self.name}{place}"


def mapping(value: Any, *path: str) -> Manifest:
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any, *path: str) -> tuple[Any, ...]:
    found = mapping(value, *path[:-1]).get(path[-1]) if path else value
    return tuple(found) if isinstance(found, list | tuple) else ()


def text(value: Any, *path: str) -> str:
    found = mapping(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def integer(value: Any, *path: str) -> int | None:
    found = mapping(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def moment(value: Any, *path: str) -> datetime | None:
    """A timestamp that can be meant; YAML readers hand unquoted ones over as `datetime` already."""
    found = mapping(value, *path[:-1]).get(path[-1])
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            return None
    return plausible(found) if isinstance(found, datetime) else None


def group_of(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def key_of(manifest: Any) -> ObjectKey:
    """Return the identity of a manifest's object.

    Raises:
        Rejected: `not_an_object`; it lacks what every object has.

    """
    kind = text(manifest, "kind")
    name = text(manifest, "metadata", "name")
    api_version = text(manifest, "apiVersion")
    if not (kind and name and api_version):
        raise Rejected(
            ClusterRefusal.NOT_AN_OBJECT, "apiVersion, kind and metadata.name are needed"
        )
    if len(name) > NAME_CHARACTERS_MAX:
        raise Rejected(
            ClusterRefusal.NOT_AN_OBJECT, f"a name is longer than {NAME_CHARACTERS_MAX} characters"
        )
    namespace = text(manifest, "metadata", "namespace") or "default"
    return ObjectKey(group=group_of(api_version), kind=kind, namespace=namespace, name=name)


def is_earlier(version: str, *, than: str) -> bool:
    """Compare two versions of one resource; those that are no versions have no order.

    They are numbers that grow, without zeros before them, and are not read as numbers: of what
    another cluster says Python refuses the very long.
    Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    are_numbers = all(text.isascii() and text.isdecimal() for text in (version, than))
    return are_numbers and (len(version), version) < (len(than), than)
