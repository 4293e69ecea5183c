"""All objects as last read, and which Pipelines a change concerns."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.messages import Finding, FindingLevel
from countersign.kube.flux.applications import App, AppState, Source
from countersign.kube.flux.rules import Record
from countersign.kube.flux.sources import settle
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode
from countersign.kube.pipelines.pipeline import GROUP, KIND, Pipeline
from countersign.watcher.decision.stages import keys_of
from countersign.watcher.gaps import Gap
from countersign.watcher.interfaces import Changes
from countersign.watcher.model import FileProblem

# Those that go at once before anybody looks: all of a large cluster.
GONE_MAX: Final = 20_000


class Inventory:
    def __init__(self) -> None:
        self.complete = False
        self._records: dict[ObjectKey, Record] = {}
        self._pipelines: dict[ObjectKey, Pipeline] = {}
        # Uids of Pipelines that were there; the last ones.
        self.gone: BoundedDict[str, None] = BoundedDict(GONE_MAX)
        self._problems: tuple[FileProblem, ...] = ()
        self._gaps: tuple[Gap, ...] | None = None
        # Application to Pipelines that name it; source to applications applied from it.
        self._named_by: dict[ObjectKey, set[ObjectKey]] = {}
        self._applied_from: dict[ObjectKey, set[ObjectKey]] = {}
        # As `_named_by`, of other clusters only, whichever they are.
        self._named_elsewhere: dict[ObjectKey, set[ObjectKey]] = {}

    @property
    def objects(self) -> int:
        return len(self._records)

    def known(self) -> Iterable[ObjectKey]:
        return self._records.keys()

    @property
    def pipelines(self) -> Mapping[ObjectKey, Pipeline]:
        return self._pipelines

    @property
    def problems(self) -> tuple[FileProblem, ...]:
        return self._problems

    @property
    def knows_gaps(self) -> bool:
        """Tell whether the source names what it does not know of this cluster, and of others."""
        return self._gaps is not None

    @property
    def tells_absence(self) -> bool:
        """Tell whether an application that was not found, and is in no gap, does not exist."""
        return self.complete or self.knows_gaps

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
        concerned |= self._concerned_by_gaps(changes.gaps or ())
        self.complete, self._problems = changes.complete, changes.problems
        self._gaps = changes.gaps
        return concerned & set(self._pipelines)

    def naming(self, app: ObjectKey) -> frozenset[ObjectKey]:
        """Pipelines that name an application, in the cluster of the key or in another."""
        return frozenset(self._named_by.get(app, ())) | self._named_elsewhere.get(app, set())

    def applications(self) -> Iterator[tuple[ObjectKey, AppState]]:
        """Every application in the light of its source."""
        for key, record in self._records.items():
            if isinstance(record, App):
                yield key, settle(record, source=self._source(record))

    def apps_of(self, pipeline: Pipeline) -> dict[ObjectKey, AppState]:
        found: dict[ObjectKey, AppState] = {}
        for key in keys_of(pipeline):
            record = self._records.get(key)
            app = record if isinstance(record, App) else None
            gap = self._gap_at(key) or (self._gap_at(app.source) if app and app.source else None)
            if gap is not None:
                found[key] = _in_gap(gap, app=app)
            elif app is not None:
                found[key] = settle(app, source=self._source(app))
        return found

    def source_urls_of(self, pipeline: Pipeline) -> dict[ObjectKey, str]:
        found: dict[ObjectKey, str] = {}
        for key in keys_of(pipeline):
            record = self._records.get(key)
            source = self._source(record) if isinstance(record, App) else None
            if source is not None:
                found[key] = source.url
        return found

    def findings_of(self, pipeline: Pipeline) -> tuple[Finding, ...]:
        """Find what keeps us from knowing what its environments run."""
        if not self._problems and not self._gaps:
            return ()
        keys = self._seen_by(pipeline)
        gaps = (g.finding for g in self._gaps or () if any(g.covers(key) for key in keys))
        return (
            *(_unreadable(problem) for problem in self._problems if problem.keys & keys),
            *(finding for finding in gaps if finding is not None),
        )

    def _seen_by(self, pipeline: Pipeline) -> set[ObjectKey]:
        """Everything that is shown of it rests on these."""
        keys = {pipeline.key, *keys_of(pipeline)}
        for key in keys_of(pipeline):
            record = self._records.get(key)
            if isinstance(record, App) and record.source is not None:
                keys.add(record.source)
        return keys

    def _gap_at(self, key: ObjectKey) -> Gap | None:
        return next((gap for gap in self._gaps or () if gap.covers(key)), None)

    def _concerned_by_gaps(self, now: Iterable[Gap]) -> set[ObjectKey]:
        different = set(now) ^ set(self._gaps or ())
        if not different:
            return set()
        return {
            key
            for key, pipeline in self._pipelines.items()
            if any(gap.covers(seen) for seen in self._seen_by(pipeline) for gap in different)
        }

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

    def _concerned_by_problems(self, now: Iterable[FileProblem]) -> set[ObjectKey]:
        different = set(now) ^ set(self._problems)
        return {p for problem in different for key in problem.keys for p in self._concerned(key)}

    def _remember(self, record: Record) -> None:
        self._records[record.key] = record
        for user, used in self._edges(record):
            user.setdefault(used, set()).add(record.key)
        if isinstance(record, Pipeline):
            self._pipelines[record.key] = record
            self.gone.pop(record.ref.uid, None)

    def _forget(self, key: ObjectKey) -> None:
        record = self._records.pop(key, None)
        self._pipelines.pop(key, None)
        if record is None:
            return
        if isinstance(record, Pipeline):
            self.gone[record.ref.uid] = None
        for user, used in self._edges(record):
            user[used].discard(key)
            if not user[used]:
                del user[used]

    def _edges(self, record: Record) -> Iterator[tuple[dict[ObjectKey, set[ObjectKey]], ObjectKey]]:
        if isinstance(record, Pipeline):
            apps = keys_of(record)
            for app in apps:
                yield self._named_by, app
            for app in {replace(app, cluster="") for app in apps if app.cluster}:
                yield self._named_elsewhere, app
        elif isinstance(record, App) and record.source is not None:
            yield self._applied_from, record.source


def pipeline_key(namespace: str, name: str) -> ObjectKey:
    return ObjectKey(group=GROUP, kind=KIND, namespace=namespace, name=name)


def _unreadable(problem: FileProblem) -> Finding:
    return Finding(
        level=FindingLevel.WARNING,
        code=FindingCode.FILE_UNREADABLE,
        message=f"{problem.path}: {problem.message}; what it held before is still used",
    )


def _in_gap(gap: Gap, *, app: App | None) -> AppState:
    """Tell what ran last all the same; nothing is promoted on the strength of it."""
    state = AppState(condition=gap.condition, message=gap.message, code=gap.code or "")
    return replace(state, last=app.state.last) if app else state
