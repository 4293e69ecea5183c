"""Collects the kinds that are in use, and where: only those are watched. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from countersign.kube.flux.applications import App
from countersign.kube.flux.rules import Record
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import NO_APPLICATIONS, Pipeline
from countersign.watcher.reading import gitops_clusters
from countersign.watcher.reading.gitops_clusters import GitopsCluster

# As Kubernetes names them; the API server does not check them where they are only mentioned.
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_GROUP: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.|$))*(?<!\.)")

Kind = tuple[str, str]


class Want(NamedTuple):
    cluster: str
    group: str
    kind: str
    namespace: str


class Wants:
    """Counted, because many objects name the same kind in the same place."""

    def __init__(self) -> None:
        self._of: dict[ObjectKey, frozenset[Want]] = {}
        self._counted: Counter[Want] = Counter()

    def update(
        self, *, changed: Iterable[Record | GitopsCluster], removed: Iterable[ObjectKey]
    ) -> bool:
        """Take changes over; returns whether other kinds or places are in use now."""
        before = len(self._counted)
        added = gone = False
        for record in changed:
            wanted = frozenset(_wanted_by(record))
            added |= any(want not in self._counted for want in wanted)
            self._counted.update(wanted)
            gone |= self._drop(record.key)
            if wanted:
                self._of[record.key] = wanted
        for key in removed:
            gone |= self._drop(key)
        return added or gone or len(self._counted) != before

    def _drop(self, key: ObjectKey) -> bool:
        gone = False
        for want in self._of.pop(key, ()):
            self._counted[want] -= 1
            if not self._counted[want]:
                del self._counted[want]
                gone = True
        return gone

    def by_cluster(self) -> Mapping[str, Mapping[Kind, frozenset[str]]]:
        """Namespaces of each kind in each cluster."""
        found: dict[str, dict[Kind, set[str]]] = defaultdict(lambda: defaultdict(set))
        for want in self._counted:
            found[want.cluster][want.group, want.kind].add(want.namespace)
        return {
            cluster: {kind: frozenset(namespaces) for kind, namespaces in kinds.items()}
            for cluster, kinds in found.items()
        }


def _wanted_by(record: Record | GitopsCluster) -> Iterator[Want]:
    if isinstance(record, Pipeline):
        if not record.app.api_version or record.app.kind == "unknown":
            return
        for environment in record.environments:
            for target in environment.targets:
                yield from _wanted_of(record.app_key(target))
    elif isinstance(record, App) and record.source is not None:
        source = record.source
        if not _is_path(source.group, source.namespace):
            return
        yield Want(source.cluster, source.group, source.kind, source.namespace)


def _wanted_of(app: ObjectKey) -> Iterator[Want]:
    if (app.group, app.kind) in NO_APPLICATIONS or not _is_path(app.group, app.namespace):
        return
    yield Want(app.cluster, app.group, app.kind, app.namespace)
    if app.cluster:
        key = gitops_clusters.key_of_cluster(app.cluster)
        if _is_path(key.group, key.namespace):
            yield Want("", key.group, key.kind, key.namespace)


def _is_path(group: str, namespace: str) -> bool:
    """Tell whether they lead to objects of that kind there; `..` would lead elsewhere."""
    return bool(_GROUP.fullmatch(group) and _NAMESPACE.fullmatch(namespace))
