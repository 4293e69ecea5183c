"""Secrets of the API server, each read by its name: no list, no watch, nothing kept.

Reading one by name needs `get` in a Role that names it, so a service reads what a Role lets it and
nothing else; where one does not, the refusal holds the line that grants it.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.kube.access.api import ClusterApi, MetadataApi
from countersign.kube.grants import secret_line
from countersign.kube.objects import Manifest, mapping, moment, sequence, text
from countersign.kube.refusals import ClusterRefusal

FORBIDDEN: Final = ClusterRefusal.SECRET_FORBIDDEN
MISSING: Final = ClusterRefusal.SECRET_MISSING
# As Kubernetes names objects; a name with a slash would be another path.
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """A Secret as it is now.

    Args:
        version: differs when anything about it does; also when it was deleted and made again.
        changed_at: when it was last written.
        keys: its values as text; what is no text has the sign for that in it.

    """

    version: str
    changed_at: datetime
    keys: Mapping[str, Secret] = field(repr=False)


async def read_secret(api: ClusterApi, *, namespace: str, name: str) -> StoredSecret:
    """Read a Secret by its name.

    Raises:
        Rejected: `secret_forbidden`, `secret_missing`; the message goes on after the Secret's name.
        Retryable: `cluster_unavailable`, `unauthorized`.

    """
    path = _path(namespace, name)
    try:
        found = await api.call("GET", path)
    except Rejected as refusal:
        raise _refused(refusal, namespace=namespace, name=name) from None
    metadata = mapping(found, "metadata")
    return StoredSecret(
        version=_version(metadata), changed_at=_changed_at(metadata), keys=_keys(found)
    )


async def secret_version(api: MetadataApi, *, namespace: str, name: str) -> str:
    """The version of a Secret, without reading what is in it; errors as of `read_secret`."""
    try:
        return _version(await api.metadata(_path(namespace, name)))
    except Rejected as refusal:
        raise _refused(refusal, namespace=namespace, name=name) from None


def _path(namespace: str, name: str) -> str:
    if not all(_NAME.fullmatch(part) for part in (namespace, name)):
        raise Rejected(MISSING, "its name is not one of a Secret")
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def _refused(refusal: Rejected, *, namespace: str, name: str) -> Rejected:
    if refusal.reason == ClusterRefusal.FORBIDDEN:
        line = secret_line(namespace=namespace, secret=name, refusal=refusal.message)
        return Rejected(FORBIDDEN, f"Countersign may not read it; this allows it: `{line}`")
    return Rejected(MISSING, "it is not there")


def _version(metadata: Manifest) -> str:
    return f"{text(metadata, 'uid')}/{text(metadata, 'resourceVersion')}"


def _changed_at(metadata: Manifest) -> datetime:
    writes = (moment(entry, "time") for entry in sequence(metadata, "managedFields"))
    times = [moment(metadata, "creationTimestamp"), *writes]
    return max((t for t in times if t is not None), default=_LONG_AGO)


def _keys(manifest: Manifest) -> dict[str, Secret]:
    keys: dict[str, Secret] = {}
    for key, value in mapping(manifest, "data").items():
        try:
            keys[key] = Secret(base64.b64decode(value, validate=True).decode(errors="replace"))
        except (binascii.Error, TypeError):
            continue
    return keys
