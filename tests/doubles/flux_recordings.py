"""Recordings of the real Flux controllers, and what ran healthily in them by our own reading."""

import functools
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from doubles.observed_cluster import true_pipeline
from doubles.watched import NOW
from reference import directory, skip_without

from countersign.contracts.message import Message
from countersign.contracts.messages import PromotionRequested
from countersign.kube.objects import ObjectKey
from countersign.watcher.decision.decisions import decide
from countersign.watcher.decision.stages import stages
from countersign.watcher.model import Links, Situation
from countersign.watcher.observation.inventory import Inventory, pipeline_key
from countersign.watcher.observation.projection import Projection

FOLDER: Final = "recordings/flux"
APPLICATIONS: Final = ("HelmRelease", "Kustomization")
_ENDING: Final = ".watch.jsonl"
_FOREVER: Final = 1_000_000
Json = dict[str, Any]


def recordings() -> list[str]:
    root = directory()
    found = (root / FOLDER).glob(f"*{_ENDING}*") if root else ()
    return sorted(path.name.partition(_ENDING)[0] for path in found) or ["absent"]


def entries(recording: str) -> Iterator[tuple[int, Json]]:
    """Lines with their numbers, without those that say what was done."""
    (path,) = skip_without(FOLDER).glob(f"{recording}{_ENDING}*")
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    for number, line in enumerate(text.splitlines(), start=1):
        entry = json.loads(line)
        if entry["type"] != "STEP":
            yield number, entry


def lines(recording: str) -> Iterator[tuple[int, str, Json]]:
    for number, entry in entries(recording):
        yield number, entry["type"], entry["object"]


@dataclass(frozen=True)
class Run:
    """A revision, and the lines between which it ran healthily."""

    revision: str
    spans: tuple[range, ...]
    is_promoted: bool
    # The manifests of the run before, from another commit: it takes that one's place in what is
    # not merged yet, as that commit may be gone.
    is_moved: bool = False

    def names(self, recorded: str) -> bool:
        """Of a commit or a digest the table has the beginning."""
        if "@" in self.revision:
            return recorded.startswith(self.revision)
        return recorded == self.revision


@dataclass(frozen=True)
class Application:
    """One object, or those of one name in several namespaces, with a Pipeline of its own."""

    label: str
    kind: str
    name: str
    namespaces: tuple[str, ...]
    runs: tuple[Run, ...]

    @property
    def key(self) -> ObjectKey:
        return pipeline_key(self.namespaces[0], self.label.lower().replace(" ", "-"))

    @property
    def has_all_targets(self) -> bool:
        """Or only those of one namespace, beside another that has them all."""
        return self.label == f"{self.kind} {self.name}"

    def promoted(self, *, merges: bool) -> list[Run]:
        return [run for run in self.runs if run.is_promoted or (run.is_moved and not merges)]

    def runs_at(self, line: int, recorded: str) -> bool:
        """Whether that is what ran healthily then; nothing did if it is empty."""
        run = next((r for r in self.runs if any(line in span for span in r.spans)), None)
        return run.names(recorded) if run else not recorded

    def pipeline(self) -> Json:
        """From where it was recorded to where nothing runs yet."""
        targets = {
            "dev": [{"namespace": namespace} for namespace in self.namespaces],
            "prod": [{"namespace": prod_of(namespace)} for namespace in self.namespaces],
        }
        key = self.key
        made = true_pipeline(
            key.namespace, "dev", "prod", kind=self.kind, name=key.name, targets=targets
        )
        made["spec"]["appRef"]["name"] = self.name
        return made


def prod_of(namespace: str) -> str:
    return f"{namespace}-prod"


def applications(recording: str) -> list[Application]:
    """As the table lists them; one that it does not list is listed wrongly."""
    places: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for _, _, manifest in lines(recording):
        if manifest["kind"] in APPLICATIONS:
            metadata = manifest["metadata"]
            places[manifest["kind"], metadata["name"]][metadata["namespace"]] = None
    found = []
    for label, rows in _table()[recording].items():
        kind, name, *where = label.split()
        namespaces = tuple(where or sorted(places[kind, name]))
        runs = tuple(_run(row) for row in rows)
        found.append(Application(label, kind, name, namespaces, runs))
    assert {(a.kind, a.name) for a in found} == set(places), recording
    return found


@functools.cache
def _table() -> dict[str, dict[str, list[str]]]:
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    table: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
    assert sorted(table) == recordings()
    return table


def _run(row: str) -> Run:
    revision, *spans = row.split()
    return Run(
        revision.lstrip("=-"),
        tuple(map(_span, spans)),
        is_promoted=revision[0] not in "=-",
        is_moved=revision[0] == "=",
    )


def _span(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or _FOREVER) + 1)


class Promoter:
    """Decides upon a world with what was decided before, as the service does."""

    def __init__(
        self, world: Inventory, apps: list[Application], projection: Projection | None = None
    ) -> None:
        self.projection = Projection() if projection is None else projection
        self.requested: dict[str, list[tuple[int, str]]] = {app.label: [] for app in apps}
        self.now = NOW
        self._world = world
        self._apps = apps
        self._links: dict[ObjectKey, Links] = defaultdict(dict)

    def situation(self, app: Application) -> Situation | None:
        pipeline = self._world.pipelines.get(app.key)
        if pipeline is None:
            return None
        seen = self.projection.observed().get((app.key.namespace, app.key.name))
        return Situation(
            pipeline=pipeline,
            apps=self._world.apps_of(pipeline),
            source_urls=self._world.source_urls_of(pipeline),
            promotions=self.projection.promotions_of(pipeline.ref.uid),
            links=self._links[app.key],
            observed=seen.event if seen else None,
            complete=self._world.tells_absence,
            reads_clusters=self._world.knows_gaps,
            now=self.now,
        )

    def look(self, line: int) -> list[tuple[Application, Message]]:
        """Decide about each application, and publish; returns what was published."""
        said = []
        for app in self._apps:
            situation = self.situation(app)
            decision = decide(situation) if situation else None
            if decision is None:
                continue
            self._links[app.key] = dict(decision.links)
            for event in decision.events:
                self.projection.apply(event)
                said.append((app, event))
                if isinstance(event, PromotionRequested):
                    recorded = event.content.revision.recorded
                    self.requested[app.label].append((line, recorded))
        return said

    def running(self, app: Application) -> str:
        """What all its targets run healthily."""
        situation = self.situation(app)
        content = stages(situation)[0].content if situation else None
        return content.revision.recorded if content else ""

    def differences(self, *, merges: bool = False) -> dict[str, Any]:
        """What was asked for and should not have been, or at another line, or the reverse."""
        return {
            app.label: (wanted, self.requested[app.label])
            for app in self._apps
            if not _are_promoted(wanted := app.promoted(merges=merges), self.requested[app.label])
        }


def _are_promoted(wanted: list[Run], requested: list[tuple[int, str]]) -> bool:
    return len(wanted) == len(requested) and all(
        run.spans[0].start == line and run.names(recorded)
        for run, (line, recorded) in zip(wanted, requested, strict=True)
    )
