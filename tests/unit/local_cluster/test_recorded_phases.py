"""What is played has the shape, write by write, of what Flux was seen to write."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import reference

from countersign.kube.flux.helm_releases import read_helm_release
from countersign.kube.flux.kustomizations import read_kustomization
from countersign.local.cluster.control import Control, Failure, Fate
from countersign.local.cluster.controllers import helm, kustomize, planning, sources
from countersign.local.cluster.controllers.attempt import Pace, attempt_of
from countersign.local.cluster.controllers.building import Build
from countersign.local.cluster.objects import Json, Key, Moment, Phase

NOW = datetime(2026, 11, 23, 6, 2, 12, tzinfo=UTC)
PACE = Pace()
Shape = tuple[Any, ...]


def recorded(name: str, *, kind: str, title: str) -> list[Json]:
    path: Path = reference.skip_without("recordings") / "flux" / f"{name}.watch.jsonl"
    lines = (json.loads(line) for line in path.read_text().splitlines())
    objects = (line["object"] for line in lines if line["type"] in {"ADDED", "MODIFIED"})
    return [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == title]


def shape(manifest: Json) -> Shape:
    """All of the status but times, digests and texts."""
    status = manifest["status"]
    conditions = tuple(
        (c["type"], c["status"], c["observedGeneration"], c["reason"])
        for c in status.get("conditions", ())
    )
    plain = ("lastAttemptedRevision", "lastAppliedRevision", "lastAttemptedGeneration")
    counters = ("failures", "upgradeFailures", "installFailures", "lastAttemptedReleaseAction")
    return (
        manifest["metadata"]["generation"],
        status.get("observedGeneration"),
        conditions,
        tuple(status.get(k) for k in plain + counters),
        tuple(_entry(h) for h in status.get("history", ())),
        frozenset(status) - {"lastHandledReconcileAt"},
    )


def _entry(h: Json) -> Shape:
    if "chartVersion" in h:
        return (h["version"], h["chartVersion"], h["status"], h.get("action"), frozenset(h))
    return (
        h["metadata"]["revision"],
        h["lastReconciledStatus"],
        h["totalReconciliations"],
        frozenset(h),
    )


def distinct(shapes: Iterable[Shape]) -> list[Shape]:
    found: list[Shape] = []
    for one in shapes:
        if not found or found[-1] != one:
            found.append(one)
    return found


class Played:
    """An object that changes as the phases say, and all that it was."""

    def __init__(self, first: Json) -> None:
        self.now = {**first, "status": {"observedGeneration": -1}}
        self.states = [self.now]

    def play(self, phases: Iterator[Phase]) -> None:
        for phase in phases:
            generation = self.now["metadata"]["generation"]
            status = phase.change(self.now["status"], Moment(generation, NOW))
            self._write({**self.now, "status": status})

    def respecify(self, spec: Json) -> None:
        metadata = self.now["metadata"]
        metadata = {**metadata, "generation": metadata["generation"] + 1}
        self._write({**self.now, "metadata": metadata, "spec": spec})

    def _write(self, manifest: Json) -> None:
        self.now = manifest
        self.states.append(manifest)


def _nothing(_: Key) -> None:
    """No sources are there."""


def specs(objects: list[Json]) -> list[Json]:
    """What was asked for, in turn."""
    found: list[Json] = []
    for o in objects:
        if not found or found[-1] != o["spec"]:
            found.append(o["spec"])
    return found


@pytest.mark.parametrize(
    ("name", "fates"),
    [
        ("hr-upgrade", {}),
        ("hr-upgrade-failure", {"6.9.0": Fate.FAIL}),
        ("hr-upgrade-rollback-once", {"6.9.0": Fate.FAIL}),
        ("hr-upgrade-timeout-rollback", {"6.9.0": Fate.NEVER_READY}),
        ("hr-suspend-resume", {}),
    ],
)
def test_release_goes_through_the_recorded_states(name: str, fates: dict[str, Fate]) -> None:
    objects = [o for o in recorded(name, kind="HelmRelease", title="podinfo") if not _poked(o)]
    control = Control(fail=tuple(Failure(revision=v, how=f) for v, f in fates.items()))
    first, *later = specs(objects)
    played = Played({**objects[0], "spec": first})

    for spec in [first, *later]:
        if spec is not first:
            played.respecify(spec)
        chart = planning.chart_of(played.now, _nothing)
        assert chart is not None
        if planning.release_needs_work(played.now, chart, control):
            played.play(planning.release_phases(played.now, chart, control, PACE))

    assert distinct(map(shape, played.states)) == distinct(map(shape, objects))


def _poked(manifest: Json) -> bool:
    """`flux reconcile` on a failed release changes nothing for good; it is not played."""
    poked = "requestedAt" in json.dumps(manifest["metadata"].get("annotations", {}))
    return poked and manifest["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("ks-commits", {}),
        ("ks-health-slow", {}),
        ("ks-apply-failure", {1: Fate.FAIL, 2: Fate.FAIL}),
        ("ks-health-failure", {1: Fate.NEVER_READY, 2: Fate.NEVER_READY}),
    ],
)
def test_kustomization_goes_through_the_recorded_states(
    name: str, outcomes: dict[int, Fate]
) -> None:
    objects = recorded(name, kind="Kustomization", title="apps")
    objects = [o for o in objects if "deletionTimestamp" not in o["metadata"]]
    played = Played(objects[0])
    played.play(iter([kustomize.source_not_ready("Source artifact not found")]))

    for number, (revision, digest) in enumerate(_attempts(objects)):
        one = kustomize.application_of(
            played.now,
            revision=revision,
            build=Build(digest=digest, inventory=((("id", "x"), ("v", "v1")),)),
            fate=outcomes.get(number, Fate.SUCCEED),
            pace=PACE,
        )
        played.play(kustomize.phases(played.now, one))

    assert distinct(map(shape, played.states)) == distinct(map(shape, objects))


def _attempts(objects: list[Json]) -> Iterator[tuple[str, str]]:
    """Revision and digest of each time that the outcome was recorded."""
    previous: Json = {}
    for o in objects:
        history = o["status"].get("history", [])
        if history and history[0] != previous:
            previous = history[0]
            yield previous["metadata"]["revision"], previous["digest"]


def test_git_repository_goes_through_the_recorded_states_of_a_new_commit() -> None:
    objects = recorded("ks-commits", kind="GitRepository", title="apps")
    steady = [o for o in objects if o["status"]["observedGeneration"] == 1]
    revisions = list(dict.fromkeys(o["status"]["artifact"]["revision"] for o in steady))
    played = Played(objects[0])

    for revision in revisions:
        commit = revision.rpartition(":")[2]
        played.play(sources.git_phases(played.now, revision=revision, commit=commit))

    assert distinct(map(shape, played.states)) == distinct(map(shape, objects))


@pytest.mark.parametrize("fate", [Fate.FAIL, Fate.ROLLBACK, Fate.NEVER_READY, Fate.MISSING])
@pytest.mark.parametrize("retries", [0, 1, 2])
def test_failed_revision_of_a_release_is_never_named_as_running(fate: Fate, retries: int) -> None:
    played = Played(_release("6.8.4"))
    played.play(_phases(played.now, Fate.SUCCEED))
    spec = _release("6.9.0")["spec"] | {"upgrade": {"remediation": {"retries": retries}}}

    played.respecify(spec)
    before = len(played.states)
    played.play(_phases(played.now, fate))

    running = [read_helm_release(s).state.content for s in played.states]
    assert running[before - 2] is not None
    assert not any(c for c in running[before:] if c)


def test_release_is_named_as_running_only_by_its_last_write() -> None:
    played = Played(_release("6.8.4"))

    played.play(_phases(played.now, Fate.SUCCEED))

    contents = [read_helm_release(s).state.content for s in played.states]
    assert [c for c in contents[:-1] if c] == []
    assert contents[-1] is not None
    assert contents[-1].revision.recorded == "6.8.4"


@pytest.mark.parametrize("fate", [Fate.FAIL, Fate.NEVER_READY])
def test_failed_revision_of_a_kustomization_is_never_named_as_running(fate: Fate) -> None:
    played = Played(_kustomization())
    played.play(_apply(played.now, "main@sha1:aa", Fate.SUCCEED))
    before = len(played.states)

    played.play(_apply(played.now, "main@sha1:bb", fate))

    after = [read_kustomization(s).state.content for s in played.states[before:]]
    assert not any(c for c in after if c and c.revision.recorded == "main@sha1:bb")


def _phases(manifest: Json, fate: Fate) -> Iterator[Phase]:
    chart = planning.chart_of(manifest, _nothing)
    assert chart is not None
    return helm.phases(manifest, attempt_of(manifest, chart, fate=fate, pace=PACE))


def _apply(manifest: Json, revision: str, fate: Fate) -> Iterator[Phase]:
    build = Build(digest=f"sha256:{revision}")
    one = kustomize.application_of(manifest, revision=revision, build=build, fate=fate, pace=PACE)
    return kustomize.phases(manifest, one)


def _release(version: str) -> Json:
    chart = {"chart": "podinfo", "version": version}
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "podinfo", "namespace": "dev", "generation": 1},
        "spec": {"chart": {"spec": chart}, "timeout": "1m"},
    }


def _kustomization() -> Json:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "dev", "generation": 1},
        "spec": {"wait": True, "sourceRef": {"kind": "GitRepository", "name": "apps"}},
    }
