"""Keeps up with the objects of one kind: lists them, watches them, and lists again when it must.

What is handed on is what was read of them; of the objects themselves only the versions are kept,
so that a second list tells what changed meanwhile, and what is gone.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.objects import ObjectKey, is_earlier
from countersign.kube.refusals import ClusterRefusal
from countersign.kube.watches.answers import DELETED, Answers, Event, Page
from countersign.kube.watches.discovery import Resource
from countersign.kube.watches.pauses import Pauses
from countersign.kube.watches.reflections import Api, Handling, Standing, T, Update
from countersign.telemetry.logs import get_logger

log = get_logger()

PAGE_OBJECTS: Final = 500
# What was listed in part may be gone before it is read to its end; that often it begins anew.
LISTS_MAX: Final = 5
# Ten times what a large cluster has; another cluster may go on without end.
OBJECTS_MAX: Final = 100_000
# A page may be empty, and lead on; one after the other leads nowhere.
EMPTY_PAGES_MAX: Final = 10
_READ_BEFORE: Final = frozenset({Standing.READ, Standing.UNREACHABLE})
_STANDINGS: Final[Mapping[str, Standing]] = {
    ClusterRefusal.NOT_FOUND: Standing.ABSENT,
    ClusterRefusal.FORBIDDEN: Standing.FORBIDDEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed(Generic[T]):
    versions: dict[ObjectKey, str]
    changed: dict[ObjectKey, T]


class Reflector(Generic[T]):
    """One kind, in one namespace or in all."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        *,
        handling: Handling[T],
        namespace: str = "",
        pauses: Pauses,
    ) -> None:
        self._api = api
        self._path = resource.path(namespace)
        self._answers = Answers(resource, path=self._path, read=handling.read)
        self._deliver = handling.deliver
        self._pauses = pauses
        self._versions: dict[ObjectKey, str] = {}
        # Who may list and not watch would know no change: what was listed waits for its watch.
        self._listed: _Listed[T] | None = None
        self._at = ""
        self._is_stale = False
        self._page_objects = PAGE_OBJECTS
        self._standing = Standing.UNREAD
        self._failing_since: float | None = None
        self._refused_since: float | None = None
        self._failures = 0
        self._listed_at = 0.0
        self._expiries = 0

    @property
    def known(self) -> frozenset[ObjectKey]:
        return frozenset(self._versions)

    def forget_position(self) -> None:
        """Another API server answers from now on: list again, whatever the last one still says."""
        self._is_stale = True

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            if self._is_stale:
                self._at, self._is_stale = "", False
            try:
                if self._at and self._failures:
                    await self._doubt()
                if not self._at:
                    await self._list()
                await self._watch()
            except Retryable as error:
                await self._failed(error)
            except Rejected as refusal:
                if refusal.reason == ClusterRefusal.GONE and self._at:
                    await self._expired()
                else:
                    await self._refused(refusal)

    async def _doubt(self) -> None:
        """List again if the server came back from a backup and counts on from an earlier version.

        A watch from a later one would be silent until they get there, and leave out what they were
        about meanwhile. After a long absence they may be there already.
        """
        since = self._failing_since
        if since is not None and self._pauses.now() - since >= self._pauses.away_s:
            self._at = ""
        elif is_earlier((await self._page({"limit": "1"})).version, than=self._at):
            log.warning("reflector.went_back", path=self._path)
            self._at = ""

    async def _expired(self) -> None:
        """Pause before listing again if the list keeps expiring as soon as it was read."""
        log.info("reflector.expired", path=self._path)
        self._at = ""
        if self._pauses.now() - self._listed_at >= self._pauses.longest_s:
            self._expiries = 0
            return
        await self._pauses.after(self._expiries)
        self._expiries += 1

    async def _list(self) -> None:
        for _ in range(LISTS_MAX):
            try:
                await self._list_once()
            except Rejected as refusal:
                if refusal.reason != ClusterRefusal.GONE:
                    raise
            else:
                return
        raise Retryable(ClusterRefusal.UNAVAILABLE, f"GET {self._path}: expires while it is read")

    async def _list_once(self) -> None:
        changed: dict[ObjectKey, T] = {}
        versions: dict[ObjectKey, str] = {}
        query = {"limit": str(self._page_objects)}
        empty = 0
        while True:
            page = await self._page(query)
            empty = 0 if page.found else empty + 1
            for found in page.found:
                key = found.record.key
                versions[key] = found.version
                if self._versions.get(key) != found.version:
                    changed[key] = found.record
            self._refuse_too_many(len(versions))
            if not page.further:
                break
            if empty > EMPTY_PAGES_MAX:
                raise Retryable(ClusterRefusal.UNAVAILABLE, f"GET {self._path}: pages without end")
            query = {**query, "continue": page.further}
        self._listed = _Listed(versions=versions, changed=changed)
        self._at = page.version
        self._listed_at = self._pauses.now()

    async def _page(self, query: Mapping[str, str]) -> Page[T]:
        try:
            body = await self._api.get(self._path, query)
        except Retryable as error:
            if error.reason == ClusterRefusal.TOO_LARGE:
                self._page_objects = max(1, self._page_objects // 4)
            raise
        return self._answers.page(body)

    async def _watch(self) -> None:
        """One request; it ends when the API server ends it, which it does now and then."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._at,
            "timeoutSeconds": str(self._pauses.watch_s()),
        }
        began = self._pauses.now()
        heard = False
        async with self._api.lines(self._path, query, silence_s=self._pauses.silence_s) as lines:
            await self._succeeded()
            async for line in lines:
                heard = True
                await self._on_event(self._answers.event(line))
        if not heard and self._pauses.now() - began < self._pauses.first_s:
            raise Retryable(ClusterRefusal.UNAVAILABLE, f"GET {self._path}: its watch ends at once")

    async def _on_event(self, event: Event[T]) -> None:
        self._at = event.version or self._at
        if event.found is None:
            return
        key = event.found.record.key
        if event.type == DELETED:
            self._versions.pop(key, None)
            await self._deliver(Update(standing=self._standing, removed=frozenset({key})))
        elif self._versions.get(key) != event.version:
            self._refuse_too_many(len(self._versions))
            self._versions[key] = event.version
            await self._deliver(Update(standing=self._standing, changed={key: event.found.record}))

    def _refuse_too_many(self, objects: int) -> None:
        if objects > OBJECTS_MAX:
            raise Retryable(
                ClusterRefusal.TOO_LARGE, f"GET {self._path}: more than {OBJECTS_MAX} objects"
            )

    async def _succeeded(self) -> None:
        """Changes are handed on together with what is gone, so that nobody sees half of a list."""
        self._failures, self._failing_since, self._refused_since = 0, None, None
        listed, self._listed = self._listed, None
        changed = listed.changed if listed else {}
        removed = frozenset[ObjectKey]()
        if listed:
            removed = frozenset(self._versions.keys() - listed.versions.keys())
            self._versions = listed.versions
        if changed or removed or self._standing is not Standing.READ:
            self._standing = Standing.READ
            await self._deliver(Update(standing=Standing.READ, changed=changed, removed=removed))

    async def _failed(self, error: Retryable) -> None:
        """Keep what is known, and stay silent for a moment: API servers restart."""
        now = self._pauses.now()
        since = self._failing_since = self._failing_since or now
        self._refused_since = None
        if not self._failures:
            log.info("reflector.failed", path=self._path, reason=error.reason)
        if error.reason == ClusterRefusal.TOO_LARGE:
            self._at = ""
        # A token that is being replaced is refused once.
        refused = error.reason == ClusterRefusal.UNAUTHORIZED and self._failures > 0
        if self._standing is Standing.UNREAD or refused or now - since >= self._pauses.away_s:
            await self._tell(Standing.UNREACHABLE, error)
        await self._pauses.after(self._failures, at_least_s=error.after_s or 0.0)
        self._failures += 1

    async def _refused(self, refusal: Rejected) -> None:
        """Nothing to hurry for: somebody installs a kind, or grants a right."""
        again = self._standing is Standing.ABSENT
        absent = refusal.reason == ClusterRefusal.NOT_FOUND
        now = self._pauses.now()
        since = self._refused_since = self._refused_since or now
        self._at, self._failing_since = "", None
        if self._standing in _READ_BEFORE and now - since < self._pauses.away_s:
            # One that starts refuses everybody until it has read its rules and its kinds.
            await self._pauses.after(self._failures)
            self._failures += 1
            return
        # A server that starts may not know its kinds yet; only the second time they are gone.
        gone = frozenset(self._versions) if absent and again else frozenset()
        if gone:
            self._versions = {}
        standing = _STANDINGS.get(refusal.reason, Standing.UNREACHABLE)
        await self._tell(standing, refusal, removed=gone)
        await self._pauses.refused()

    async def _tell(
        self,
        standing: Standing,
        error: Retryable | Rejected,
        *,
        removed: frozenset[ObjectKey] = frozenset(),
    ) -> None:
        if standing is self._standing and not removed:
            return
        self._standing = standing
        log.warning("reflector.standing", path=self._path, standing=standing, reason=error.reason)
        await self._deliver(
            Update(standing=standing, removed=removed, reason=error.reason, message=error.message)
        )
