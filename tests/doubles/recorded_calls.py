"""What is asked of an API server, written down as RBAC names it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from countersign.kube.access.api import MetadataApi
from countersign.kube.objects import Manifest
from countersign.kube.watches.reflections import Api

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Right(NamedTuple):
    """`name` is of the one object that a rule is about; empty where it is about all."""

    verb: str
    group: str
    resource: str
    name: str = ""


def right_of(method: str, path: str, *, watch: bool = False) -> tuple[Right, str] | None:
    """What a request needs, and in which namespace; none for discovery, which everybody may use."""
    group, rest = "", path.strip("/").split("/")[2:]
    if path.startswith("/apis/"):
        group, rest = path.split("/")[2], path.strip("/").split("/")[3:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return None
    resource, name, subresource = (*rest, "", "")[:3]
    reading = "get" if name else "watch" if watch else "list"
    verb = _VERBS.get(method, reading)
    return Right(verb, group, f"{resource}/{subresource}".rstrip("/"), name), namespace


class RecordedApi:
    """A `MetadataApi` that remembers what it was asked."""

    def __init__(self, api: MetadataApi) -> None:
        self._api = api
        self.asked: set[Right] = set()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        self._remember(method, path)
        return await self._api.call(method, path, query=query, body=body, content_type=content_type)

    async def metadata(self, path: str) -> Manifest:
        self._remember("GET", path)
        return await self._api.metadata(path)

    def _remember(self, method: str, path: str) -> None:
        if needed := right_of(method, path):
            self.asked.add(needed[0])


class RecordedWatching:
    """An `Api` that remembers what it was asked."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.asked: set[Right] = set()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        if needed := right_of("GET", path):
            self.asked.add(needed[0])
        return await self._api.get(path, query)

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        if needed := right_of("GET", path, watch=True):
            self.asked.add(needed[0])
        async with self._api.lines(path, query, silence_s=silence_s) as lines:
            yield lines
