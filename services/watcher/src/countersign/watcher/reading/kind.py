"""Everything of one kind in one cluster: how it is called, who may read it, and what is known.

It is read everywhere at once if that is allowed, else in each namespace that is asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import CALL_TIMEOUT_S
from countersign.kube.flux.rules import Record
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode
from countersign.kube.watches.discovery import Resource, discover
from countersign.kube.watches.pauses import Pauses
from countersign.kube.watches.reflections import Api, Handling, Standing, Update
from countersign.kube.watches.reflector import Reflector
from countersign.watcher.gaps import Gap, forbidden, not_installed, unreachable, unread
from countersign.watcher.reading.gitops_clusters import GitopsCluster
from countersign.watcher.reading.wants import Kind

# Each is a connection that stays open.
NAMESPACES_MAX: Final = 500
EVERYWHERE: Final = ""
# A server that starts does not know its kinds yet; what is absent so often in a row is absent.
ABSENCES: Final = 3

Read = Callable[[dict[str, Any]], Record | GitopsCluster]
Told = Callable[[str, Update[Record | GitopsCluster]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The reading of the objects of one cluster, and who is told."""

    cluster: str
    read: Read
    tell: Told
    pauses: Pauses


class KindReading:
    def __init__(self, api: Api, kind: Kind, reader: Reader) -> None:
        self._api = api
        self._group, self._kind = kind
        self._cluster = reader.cluster
        self._read = reader.read
        self._tell = reader.tell
        self._pauses = reader.pauses
        self._resource: Resource | None = None
        self._reflectors: dict[str, Reflector[Record | GitopsCluster]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Of the kind as a whole while it is not known how it is called, else of its namespaces.
        self._state: Update[Record | GitopsCluster] = Update(standing=Standing.UNREAD)
        self._states: dict[str, Update[Record | GitopsCluster]] = {}
        self._namespaces: frozenset[str] = frozenset()
        self._everywhere = True
        self._may_everywhere = True
        self._changed = asyncio.Event()

    def want(self, namespaces: frozenset[str], *, everywhere: bool) -> None:
        """Say where its objects are named; `everywhere` lets it look at all namespaces at once."""
        self._may_everywhere &= everywhere
        self._everywhere &= everywhere
        if self._namespaces != namespaces:
            self._namespaces = namespaces
            self._changed.set()

    def forget_position(self) -> None:
        """Another API server may be behind the same name: all is listed again."""
        for reflector in self._reflectors.values():
            reflector.forget_position()

    @property
    def known(self) -> frozenset[ObjectKey]:
        return frozenset(key for r in self._reflectors.values() for key in r.known)

    @property
    def is_settled(self) -> bool:
        """Tell whether there is something to be said of all of it."""
        if self._resource is None:
            return self._state.standing is not Standing.UNREAD
        return all(self._standing(place) is not Standing.UNREAD for place in self._places())

    @property
    def is_read(self) -> bool:
        return any(state.standing is Standing.READ for state in self._states.values())

    def gaps(self) -> Iterator[Gap]:
        if self._resource is None:
            if gap := self._gap(self._state, namespace=""):
                yield gap
            return
        for place in sorted(self._places()):
            state = self._states.get(place, Update(standing=Standing.UNREAD))
            if gap := self._gap(state, namespace=place):
                yield gap
        for namespace in sorted(self._namespaces - set(self._places()) - {EVERYWHERE}):
            if not self._everywhere:
                yield Gap(
                    cluster=self._cluster,
                    group=self._group,
                    kind=self._kind,
                    namespace=namespace,
                    code=FindingCode.TOO_MANY_NAMESPACES,
                    message=f"{self._kind} objects are named in more than {NAMESPACES_MAX} "
                    "namespaces; let the watcher read all namespaces at once",
                )

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self._resource = await self._discovered()
            try:
                async with asyncio.TaskGroup() as tasks:
                    await self._keep_up(tasks)
            finally:
                self._tasks.clear()
            self._reflectors.clear()
            self._states.clear()
            self._resource = None

    async def _discovered(self) -> Resource:
        failures = absences = 0
        while True:
            try:
                found = await discover(self._api, group=self._group, kind=self._kind)
            except Retryable as error:
                await self._note(Standing.UNREACHABLE, error.reason, error.message)
                await self._pauses.after(failures, at_least_s=error.after_s or 0.0)
                failures += 1
                continue
            except Rejected as refusal:
                await self._note(Standing.UNREACHABLE, refusal.reason, refusal.message)
                await self._pauses.refused()
                continue
            if found is not None:
                return found
            if absences < ABSENCES:
                await self._pauses.after(absences)
                absences += 1
                continue
            await self._note(Standing.ABSENT, "not_found", "")
            await self._pauses.refused()

    async def _note(self, standing: Standing, reason: str, message: str) -> None:
        before = self._state
        self._state = Update(standing=standing, reason=reason, message=message)
        if (before.standing, before.reason) != (standing, reason):
            await self._tell(self._cluster, self._state)

    def _places(self) -> list[str]:
        if self._everywhere or (self._resource and not self._resource.namespaced):
            return [EVERYWHERE]
        return sorted(self._namespaces)[:NAMESPACES_MAX]

    async def _keep_up(self, tasks: asyncio.TaskGroup) -> None:
        """Keep up until the kind is gone; it is then looked for again, in any version."""
        while True:
            self._changed.clear()
            await self._start_and_stop(tasks)
            await self._until_changed()
            standings = {self._standing(place) for place in self._places()}
            if standings == {Standing.ABSENT} and not self.known:
                for task in self._tasks.values():
                    task.cancel()
                return

    async def _until_changed(self) -> None:
        """Nobody tells that all namespaces may be read again: that is tried now and then."""
        while True:
            wait_s = None if self._everywhere or not self._may_everywhere else self._pauses.reread_s
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                if not await self._is_allowed_everywhere():
                    continue
                self._everywhere = True
            return

    async def _is_allowed_everywhere(self) -> bool:
        if self._resource is None:
            return False
        path, watch = self._resource.path(), {"watch": "1", "timeoutSeconds": "1"}
        try:
            await self._api.get(path, {"limit": "1"})
            # Who may list and not watch would lose for a while what is read by namespace.
            async with self._api.lines(path, watch, silence_s=CALL_TIMEOUT_S):
                return True
        except (Retryable, Rejected):
            return False

    async def _start_and_stop(self, tasks: asyncio.TaskGroup) -> None:
        places = self._places()
        for place in [p for p in self._tasks if p not in places]:
            self._tasks.pop(place).cancel()
            gone = self._reflectors.pop(place).known
            self._states.pop(place, None)
            await self._tell(self._cluster, Update(standing=Standing.READ, removed=gone))
        for place in [p for p in places if p not in self._tasks]:
            reflector = self._reflector(place)
            self._reflectors[place] = reflector
            self._tasks[place] = tasks.create_task(reflector.run())

    def _reflector(self, place: str) -> Reflector[Record | GitopsCluster]:
        async def deliver(update: Update[Record | GitopsCluster]) -> None:
            await self._on_update(place, update)

        if self._resource is None:
            raise RuntimeError("what is not discovered cannot be read")
        return Reflector(
            self._api,
            self._resource,
            handling=Handling(read=self._read, deliver=deliver),
            namespace=place,
            pauses=self._pauses,
        )

    async def _on_update(self, place: str, update: Update[Record | GitopsCluster]) -> None:
        self._states[place] = Update(
            standing=update.standing, reason=update.reason, message=update.message
        )
        if update.standing is Standing.ABSENT:
            self._changed.set()
        if place == EVERYWHERE and update.standing is Standing.FORBIDDEN and self._namespaced():
            self._everywhere = False
            self._changed.set()
            return
        await self._tell(self._cluster, update)

    def _namespaced(self) -> bool:
        return bool(self._resource and self._resource.namespaced and self._namespaces)

    def _standing(self, place: str) -> Standing:
        state = self._states.get(place)
        return state.standing if state else Standing.UNREAD

    def _gap(self, state: Update[Record | GitopsCluster], *, namespace: str) -> Gap | None:
        which: Mapping[str, str] = {
            "cluster": self._cluster,
            "group": self._group,
            "kind": self._kind,
        }
        match state.standing:
            case Standing.READ:
                return None
            case Standing.UNREAD:
                return unread(**which, namespace=namespace)
            case Standing.ABSENT:
                return not_installed(**which)
            case Standing.FORBIDDEN:
                plural = self._resource.plural if self._resource else self._kind.lower()
                return forbidden(**which, plural=plural, namespace=namespace)
            case Standing.UNREACHABLE:
                return unreachable(**which, namespace=namespace, why=state.message)
