"""Answers of an API server about the objects of one kind: pages of a list, events of a watch.

Another cluster may answer anything; what is not as it should be is refused, or left out.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic

import msgspec

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import refuse
from countersign.kube.objects import Manifest, group_of, integer, text
from countersign.kube.refusals import ClusterRefusal
from countersign.kube.watches.discovery import Resource
from countersign.kube.watches.reflections import T
from countersign.telemetry.logs import get_logger

log = get_logger()

DELETED: Final = "DELETED"
_BOOKMARK: Final = "BOOKMARK"
_ERROR: Final = "ERROR"


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


# Too deep is as bad as malformed.
_NO_JSON: Final = (msgspec.MsgspecError, ValueError, RecursionError)
_PAGE: Final = msgspec.json.Decoder(_Page)
_EVENT: Final = msgspec.json.Decoder(_Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    record: T
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """`further` is empty on the last one; `version` is that of the whole list."""

    found: tuple[Found[T], ...]
    version: str
    further: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Generic[T]):
    """A change of an object; without one, the watch has merely come as far as `version`."""

    type: str
    version: str
    found: Found[T] | None = None


class Answers(Generic[T]):
    """Parses the answers about one kind.

    Args:
        resource: what was asked for; objects of other kinds are left out.
        path: what was asked.
        read: may refuse an object with `Rejected`.

    """

    def __init__(
        self, resource: Resource, *, path: str, read: Callable[[dict[str, Any]], T]
    ) -> None:
        self._resource = resource
        self._path = path
        self._read = read

    def page(self, body: bytes) -> Page[T]:
        """Parse a page of a list.

        Raises:
            Retryable: `cluster_unavailable`; it is none.

        """
        try:
            page = _PAGE.decode(body)
        except _NO_JSON:
            raise Retryable(ClusterRefusal.UNAVAILABLE, f"GET {self._path}: is no list") from None
        found = (self._found(raw) for raw in page.items or ())
        return Page(
            found=tuple(each for each in found if each is not None),
            version=page.metadata.resource_version,
            further=page.metadata.continue_,
        )

    def event(self, line: bytes) -> Event[T]:
        """Parse an event of a watch.

        Raises:
            Retryable: `cluster_unavailable`; it is none.
            Rejected, Retryable: what the API server refuses in the middle of a watch.

        """
        try:
            event = _EVENT.decode(line)
            told = event.type in {_ERROR, _BOOKMARK}
            said = msgspec.json.decode(event.object) if told else None
        except _NO_JSON:
            raise Retryable(
                ClusterRefusal.UNAVAILABLE, f"watch {self._path}: is no event"
            ) from None
        if event.type == _ERROR:
            code = integer(said, "code") or 500
            refuse(code, bytes(event.object), asked=f"watch {self._path}")
        if event.type == _BOOKMARK:
            return Event(type=event.type, version=text(said, "metadata", "resourceVersion"))
        found = self._found(event.object)
        return Event(type=event.type, version=found.version if found else "", found=found)

    def _found(self, raw: msgspec.Raw) -> Found[T] | None:
        try:
            manifest = msgspec.json.decode(raw)
        except _NO_JSON as error:
            log.warning("reflector.object_left_out", path=self._path, reason=type(error).__name__)
            return None
        if not isinstance(manifest, dict) or not isinstance(manifest.get("metadata"), dict):
            return None
        # Items of lists of built-in kinds do not say what they are.
        manifest.setdefault("apiVersion", self._resource.api_version)
        manifest.setdefault("kind", self._resource.kind)
        manifest["metadata"].pop("managedFields", None)
        version = text(manifest, "metadata", "resourceVersion")
        try:
            self._refuse_other_kind(manifest)
            return Found(record=self._read(manifest), version=version)
        except Rejected as refusal:
            log.warning("reflector.object_left_out", path=self._path, reason=refusal.reason)
        except RecursionError:
            log.warning("reflector.object_left_out", path=self._path, reason="too_deep")
        return None

    def _refuse_other_kind(self, manifest: Manifest) -> None:
        """A server asked for HelmReleases of another cluster must not add Pipelines to ours."""
        kind = group_of(text(manifest, "apiVersion")), text(manifest, "kind")
        if kind != (self._resource.group, self._resource.kind):
            raise Rejected(ClusterRefusal.OTHER_KIND, "it is of another kind than was asked for")
