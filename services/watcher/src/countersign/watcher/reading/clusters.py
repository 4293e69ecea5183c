"""The objects of a Kubernetes cluster, and of those that it leads to, as a source of changes.

Readiness is about the beginning: not ready until Pipelines, and every kind of this cluster that
they name, have been read once or are known not to be readable. Later the API server may be away
without this service becoming unready, which would help nobody: what it said last is shown for a
moment, then as unknown, and `countersign_watcher_gaps` counts it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from countersign.kube.flux.rules import Record, read_object
from countersign.kube.objects import ObjectKey, group_of, text
from countersign.kube.pipelines import pipeline as pipelines
from countersign.kube.pipelines.pipeline import Pipeline, as_stored
from countersign.kube.watches.pauses import Pauses
from countersign.kube.watches.reflections import Api, Update
from countersign.telemetry.logs import get_logger
from countersign.watcher.gaps import Gap
from countersign.watcher.interfaces import Changes, Deliver
from countersign.watcher.metrics import GAPS
from countersign.watcher.reading import gitops_clusters
from countersign.watcher.reading.cluster import ClusterReading
from countersign.watcher.reading.gitops_clusters import (
    GitopsCluster,
    key_of_cluster,
    read_gitops_cluster,
)
from countersign.watcher.reading.kind import Reader
from countersign.watcher.reading.remote import RemoteCluster, Ways
from countersign.watcher.reading.wants import Kind, Wants

log = get_logger()

PIPELINES: Final[Kind] = (pipelines.GROUP, pipelines.KIND)
OWN: Final = ""
# Each may keep several connections open.
REMOTE_CLUSTERS_MAX: Final = 200


class Clusters:
    """Its own API server by `api`, other clusters by `ways`.

    With `namespaces` Pipelines are read only there, and nothing is asked of all namespaces at once.
    """

    def __init__(
        self,
        api: Api,
        *,
        ways: Ways,
        namespaces: frozenset[str] = frozenset(),
        read: Callable[[dict[str, Any]], Record] = read_object,
        pauses: Pauses | None = None,
    ) -> None:
        self._ways = ways
        self._namespaces = namespaces
        self._read_object = read
        self._pauses = pauses or Pauses()
        self._wants = Wants()
        self._own = ClusterReading(
            api,
            Reader(cluster=OWN, read=self._read, tell=self._on_update, pauses=self._pauses),
            everywhere=not namespaces,
        )
        self._remote: dict[str, RemoteCluster] = {}
        self._described: dict[ObjectKey, GitopsCluster] = {}
        self._changed = asyncio.Event()
        self._deliver: Deliver | None = None
        # What is read before everything is.
        self._pending: dict[ObjectKey, Record] = {}
        self._began = False
        self._gaps: tuple[Gap, ...] = ()
        self._codes: set[str] = set()

    def not_ready(self) -> str | None:
        if self._began:
            return None
        gaps = [gap.message for gap in self._gaps if gap.code]
        return gaps[0] if gaps else "the API server has not shown everything yet"

    async def follow(self, deliver: Deliver) -> None:
        """Run until cancelled."""
        self._deliver = deliver
        self._spread()
        tasks: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._own.run())
            while True:
                self._changed.clear()
                for name in [name for name in tasks if name not in self._remote]:
                    tasks.pop(name).cancel()
                for name in [name for name in self._remote if name not in tasks]:
                    tasks[name] = group.create_task(self._remote[name].run())
                await self._changed.wait()

    def _spread(self) -> frozenset[ObjectKey]:
        """Tell every cluster what of it is in use; returns what was known of those that are not."""
        wanted = dict(self._wants.by_cluster())
        own = dict(wanted.pop(OWN, {}))
        own[PIPELINES] = self._namespaces
        self._own.want(own)
        for name in sorted(wanted)[:REMOTE_CLUSTERS_MAX]:
            remote = self._remote.get(name)
            if remote is None:
                remote = self._remote[name] = RemoteCluster(
                    name,
                    ways=self._ways,
                    read=self._read_object,
                    tell=self._on_update,
                    pauses=self._pauses,
                )
                remote.describe(self._described.get(key_of_cluster(name)))
            remote.want(wanted[name])
        unused = [self._remote.pop(name) for name in self._remote.keys() - wanted.keys()]
        self._changed.set()
        return frozenset(key for remote in unused for key in remote.known)

    async def _on_update(self, _cluster: str, update: Update[Record | GitopsCluster]) -> None:
        changed: dict[ObjectKey, Record] = {}
        for key, record in update.changed.items():
            if isinstance(record, GitopsCluster):
                self._describe(key, record)
            else:
                changed[key] = record
        for key in update.removed & self._described.keys():
            self._describe(key, None)
        removed = frozenset(key for key in update.removed if key.kind != gitops_clusters.KIND)
        if self._wants.update(changed=changed.values(), removed=removed):
            removed |= self._spread()
        await self._hand_on(changed, removed)

    def _describe(self, key: ObjectKey, cluster: GitopsCluster | None) -> None:
        if cluster is None:
            del self._described[key]
        else:
            self._described[key] = cluster
        remote = self._remote.get(f"{key.namespace}/{key.name}")
        if remote is not None:
            remote.describe(cluster)

    async def _hand_on(
        self, changed: dict[ObjectKey, Record], removed: frozenset[ObjectKey]
    ) -> None:
        gaps = tuple(self._gaps_now())
        if gaps != self._gaps:
            self._gaps = gaps
            self._measure()
        elif self._began and not (changed or removed):
            return
        if not self._began:
            self._pending.update(changed)
            for key in removed:
                self._pending.pop(key, None)
            if not (self._own.is_read(PIPELINES) and self._own.is_settled):
                return
            self._began = True
            changed, self._pending = self._pending, {}
        if self._deliver is not None:
            complete = not any((gap.group, gap.kind) == PIPELINES for gap in gaps)
            await self._deliver(
                Changes(changed=changed, removed=removed, complete=complete, gaps=gaps)
            )

    def _read(self, manifest: dict[str, Any]) -> Record | GitopsCluster:
        kind = group_of(text(manifest, "apiVersion")), text(manifest, "kind")
        if kind == (gitops_clusters.GROUP, gitops_clusters.KIND):
            return read_gitops_cluster(manifest)
        record = self._read_object(manifest)
        return as_stored(record, manifest) if isinstance(record, Pipeline) else record

    def _gaps_now(self) -> Iterator[Gap]:
        own = tuple(self._own.gaps())
        yield from own
        for name in sorted(self._remote):
            key = key_of_cluster(name)
            # Whoever cannot read GitopsClusters does not know that one is missing.
            blind = next((g for g in own if g.covers(key)), None)
            if blind is None or key in self._described:
                yield from self._remote[name].gaps()
            else:
                message = f"cluster {name}: {blind.message}"
                yield Gap(cluster=name, code=blind.code, message=message, subject=blind.subject)

    def _measure(self) -> None:
        counted = Counter(str(gap.code or "unread") for gap in self._gaps)
        # A gap that is closed is counted as none.
        self._codes |= counted.keys()
        for code in self._codes:
            GAPS.labels(code=code).set(counted[code])
