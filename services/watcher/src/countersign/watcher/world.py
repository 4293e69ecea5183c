"""All objects as last read, and which Pipelines a change concerns."""

from collections.abc import Iterable, Iterator, Mapping

from countersign.kube.applications import App, AppState, Source
from countersign.kube.flux import Record
from countersign.kube.kustomizations import settle
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines import Pipeline
from countersign.watcher.interfaces import Changes
from countersign.watcher.model import Problem
from countersign.watcher.stages import keys_of


class World:
    def __init__(self) -> None:
        self.complete = False
        self._records: dict[ObjectKey, Record] = {}
        self._pipelines: dict[ObjectKey, Pipeline] = {}
        self._problems: tuple[Problem, ...] = ()
        # Application to Pipelines that name it; source to applications applied from it.
        self._named_by: dict[ObjectKey, set[ObjectKey]] = {}
        self._applied_from: dict[ObjectKey, set[ObjectKey]] = {}

    @property
    def objects(self) -> int:
        return len(self._records)

    @property
    def pipelines(self) -> Mapping[ObjectKey, Pipeline]:
        return self._pipelines

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems

    def apply(self, changes: Changes) -> set[ObjectKey]:
        """Take changes over; returns the Pipelines that look different now."""
        concerned: set[ObjectKey] = set()
        for key in (*changes.changed, *changes.removed):
            concerned |= self._concerned(key)
            self._forget(key)
        for record in changes.changed.values():
            self._remember(record)
        for key in changes.changed:
            concerned |= self._concerned(key)
        if changes.complete != self.complete:
            concerned |= set(self._pipelines)
        concerned |= self._concerned_by_problems(changes.problems)
        self.complete, self._problems = changes.complete, changes.problems
        return concerned & set(self._pipelines)

    def applications(self) -> Iterator[tuple[ObjectKey, AppState]]:
        """Every application in the light of its source."""
        for key, record in self._records.items():
            if isinstance(record, App):
                yield key, settle(record, source=self._source(record))

    def apps_of(self, pipeline: Pipeline) -> dict[ObjectKey, AppState]:
        found: dict[ObjectKey, AppState] = {}
        for key in keys_of(pipeline):
            record = self._records.get(key)
            if isinstance(record, App):
                found[key] = settle(record, source=self._source(record))
        return found

    def source_urls_of(self, pipeline: Pipeline) -> dict[ObjectKey, str]:
        found: dict[ObjectKey, str] = {}
        for key in keys_of(pipeline):
            record = self._records.get(key)
            source = self._source(record) if isinstance(record, App) else None
            if source is not None:
                found[key] = source.url
        return found

    def problems_of(self, pipeline: Pipeline) -> tuple[Problem, ...]:
        if not self._problems:
            return ()
        keys = {pipeline.key, *keys_of(pipeline)}
        for key in keys_of(pipeline):
            record = self._records.get(key)
            if isinstance(record, App) and record.source is not None:
                keys.add(record.source)
        return tuple(problem for problem in self._problems if problem.keys & keys)

    def _source(self, app: App) -> Source | None:
        record = self._records.get(app.source) if app.source else None
        return record if isinstance(record, Source) else None

    def _concerned(self, key: ObjectKey) -> set[ObjectKey]:
        found = set(self._named_by.get(key, ()))
        for app in self._applied_from.get(key, ()):
            found |= self._named_by.get(app, set())
        if key in self._pipelines:
            found.add(key)
        return found

    def _concerned_by_problems(self, now: Iterable[Problem]) -> set[ObjectKey]:
        different = set(now) ^ set(self._problems)
        return {p for problem in different for key in problem.keys for p in self._concerned(key)}

    def _remember(self, record: Record) -> None:
        self._records[record.key] = record
        for user, used in self._edges(record):
            user.setdefault(used, set()).add(record.key)
        if isinstance(record, Pipeline):
            self._pipelines[record.key] = record

    def _forget(self, key: ObjectKey) -> None:
        record = self._records.pop(key, None)
        self._pipelines.pop(key, None)
        if record is None:
            return
        for user, used in self._edges(record):
            user[used].discard(key)
            if not user[used]:
                del user[used]

    def _edges(self, record: Record) -> Iterator[tuple[dict[ObjectKey, set[ObjectKey]], ObjectKey]]:
        if isinstance(record, Pipeline):
            for app in keys_of(record):
                yield self._named_by, app
        elif isinstance(record, App) and record.source is not None:
            yield self._applied_from, record.source
