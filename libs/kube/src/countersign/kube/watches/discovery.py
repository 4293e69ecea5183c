"""Discovery: the resource name and version of a kind, where the API server has it at all."""

import re
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.objects import mapping, sequence, text
from countersign.kube.refusals import ClusterRefusal

CORE_VERSION: Final = "v1"
# Subresources have a slash. It becomes part of paths, and of lines for a shell.
_PLURAL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind in one version, with its name in paths."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str = "") -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{place}/{self.plural}"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class Getting(Protocol):
    async def get(self, path: str) -> bytes: ...


async def discover(api: Getting, *, group: str, kind: str) -> Resource | None:
    """The kind in the version that the API server prefers; none where it has no such kind.

    Raises:
        Retryable, Rejected: as `WatchingApi.get`.

    """
    try:
        for version in await _versions(api, group=group):
            root = f"/apis/{group}/{version}" if group else f"/api/{version}"
            for entry in sequence(_decoded(await api.get(root), root), "resources"):
                plural = text(entry, "name")
                if text(entry, "kind") == kind and _PLURAL.fullmatch(plural):
                    return Resource(
                        group=group,
                        version=version,
                        kind=kind,
                        plural=plural,
                        namespaced=mapping(entry).get("namespaced") is not False,
                    )
    except Rejected as refusal:
        if refusal.reason != ClusterRefusal.NOT_FOUND:
            raise
    return None


async def _versions(api: Getting, *, group: str) -> list[str]:
    """Preferred first."""
    if not group:
        return [CORE_VERSION]
    path = f"/apis/{group}"
    described = _decoded(await api.get(path), path)
    preferred = text(described, "preferredVersion", "version")
    all_ = [text(entry, "version") for entry in sequence(described, "versions")]
    return [preferred, *(version for version in all_ if version not in {"", preferred})]


def _decoded(body: bytes, path: str) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Retryable(ClusterRefusal.UNAVAILABLE, f"GET {path}: the answer is not JSON") from None
