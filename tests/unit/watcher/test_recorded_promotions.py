"""Each revision that the recordings show healthily deployed is promoted, and no other."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from doubles.flux_recordings import (
    Application,
    Promoter,
    applications,
    lines,
    prod_of,
    recordings,
)
from doubles.watched import NOW

from countersign.contracts.messages import (
    PromotionCompleted,
    PromotionRequested,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestRef,
)
from countersign.contracts.promotion import State
from countersign.kube.flux.rules import read_object
from countersign.kube.flux.sources import SOURCE_GROUP
from countersign.kube.objects import ObjectKey, key_of
from countersign.watcher.interfaces import Changes
from countersign.watcher.observation.inventory import Inventory

Json = dict[str, Any]


class Replay:
    """The objects of a recording in memory, with a Pipeline for each application."""

    def __init__(self, recording: str) -> None:
        self.apps = applications(recording)
        self.manifests: dict[ObjectKey, Json] = {}
        self.completed: dict[str, list[str]] = {app.label: [] for app in self.apps}
        self._world = Inventory()
        self.promoter = Promoter(self._world, self.apps)
        for app in self.apps:
            made = app.pipeline()
            made["metadata"]["uid"] = app.label
            self.apply("ADDED", made)

    def apply(self, kind: str, manifest: Json) -> None:
        key = key_of(manifest)
        gone = frozenset({key}) if kind == "DELETED" else frozenset[ObjectKey]()
        self.manifests[key] = manifest
        changed = {} if gone else {key: read_object(manifest)}
        self._world.apply(Changes(changed=changed, removed=gone, complete=True))

    def step(self, line: int, *, merges: bool) -> None:
        """Decide until nothing more is said."""
        while said := self.promoter.look(line):
            for app, event in said:
                if isinstance(event, PromotionCompleted):
                    assert event.revision
                    self.completed[app.label].append(event.revision.recorded)
                elif merges and isinstance(event, PromotionRequested):
                    self.merge(app, event)

    def merge(self, app: Application, request: PromotionRequested) -> None:
        """Prod runs at once what dev runs."""
        to = request.destination
        assert to
        pull_request = PullRequestRef(
            origin=to.origin,
            repository_id="1",
            owner=to.owner,
            repository=to.repository,
            number=1,
        )
        ours = {"promotion": request.promotion, "pull_request": pull_request}
        for event in (PullRequestOpened(**ours), PullRequestMerged(**ours, merged_at=NOW)):
            self.promoter.projection.apply(event)
        for namespace in app.namespaces:
            for manifest in self.copied(app, namespace):
                self.apply("MODIFIED", manifest)

    def copied(self, app: Application, namespace: str) -> Iterator[Json]:
        """What dev runs in that namespace, applied from a source that no other application has."""
        for key, manifest in list(self.manifests.items()):
            if (key.kind, key.namespace, key.name) != (app.kind, namespace, app.name):
                continue
            made = moved(manifest, name=app.name)
            ref = made["spec"].get("sourceRef") or made["spec"].get("chartRef")
            if ref:
                source = ObjectKey(SOURCE_GROUP, ref["kind"], namespace, ref["name"])
                ref["name"] = app.name
                yield moved(self.manifests[source], name=app.name)
            yield made


def moved(manifest: Json, *, name: str) -> Json:
    made = copy.deepcopy(manifest)
    made["metadata"] |= {"namespace": prod_of(made["metadata"]["namespace"]), "name": name}
    return made


def replayed(recording: str, *, merges: bool = False) -> Replay:
    replay = Replay(recording)
    for line, kind, manifest in lines(recording):
        replay.apply(kind, manifest)
        for app in replay.apps:
            running = replay.promoter.running(app)
            assert app.runs_at(line, running), f"{recording}:{line} {app.label} {running!r}"
        replay.step(line, merges=merges)
    return replay


@pytest.mark.parametrize("recording", recordings())
def test_each_healthy_revision_is_promoted_at_its_line_and_no_other(recording: str) -> None:
    replay = replayed(recording)

    assert replay.promoter.differences() == {}
    for app in replay.apps:
        promotions = replay.promoter.projection.promotions_of(app.label).values()
        states = [promotion.state for promotion in promotions]
        assert states[:-1] == [State.SUPERSEDED] * (len(states) - 1)
        assert states[-1:] == [State.OPENING] * min(len(states), 1)


@pytest.mark.parametrize("recording", recordings())
def test_the_same_is_promoted_and_completed_where_prod_follows(recording: str) -> None:
    replay = replayed(recording, merges=True)

    assert replay.promoter.differences(merges=True) == {}
    assert replay.completed == {
        label: [recorded for _, recorded in requested]
        for label, requested in replay.promoter.requested.items()
    }
