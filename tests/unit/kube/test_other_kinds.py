"""Kinds without a rule of their own, on single objects."""

from typing import Any

import pytest

from countersign.contracts.messages import EnvironmentCondition as Is
from countersign.kube.flux.applications import App
from countersign.kube.flux.revision_paths import NO_PATHS, RevisionPaths, parse_revision_paths
from countersign.kube.flux.rules import read_object

PATHS = parse_revision_paths("Release.example.org=.status.deployed.version")
READY = {"type": "Ready", "status": "True"}


def app(
    *conditions: Any, paths: RevisionPaths = NO_PATHS, generation: int = 1, **status: Any
) -> App:
    manifest = {
        "apiVersion": "example.org/v1beta3",
        "kind": "Release",
        "metadata": {"name": "checkout", "namespace": "shop", "generation": generation},
        "spec": {},
        "status": {"conditions": list(conditions), **status},
    }
    read = read_object(manifest, paths=paths)
    assert isinstance(read, App)
    return read


def test_ready_object_runs_the_revision_that_it_applied_last() -> None:
    state = app(READY, lastAppliedRevision="1.2.3").state

    assert (state.condition, state.checked) == (Is.HEALTHY, False)
    assert state.content is not None
    assert state.content.identity == "1.2.3"


def test_revision_is_at_the_path_that_is_set_and_nowhere_else() -> None:
    there = app(READY, paths=PATHS, deployed={"version": "2.0.0"}, lastAppliedRevision="1.2.3")
    elsewhere = app(READY, paths=PATHS, lastAppliedRevision="1.2.3").state

    assert there.state.content is not None
    assert there.state.content.revision.version == "2.0.0"
    assert (elsewhere.condition, elsewhere.content) == (Is.PROGRESSING, None)
    assert ".status.deployed.version" in elsewhere.message


def test_path_of_one_kind_counts_for_no_other() -> None:
    other = parse_revision_paths("Release.example.com=.status.a,App.example.org=.status.b")

    state = app(READY, paths=other, a="1.0.0", b="2.0.0", lastAppliedRevision="3.0.0").state

    assert state.content is not None
    assert state.content.identity == "3.0.0"


@pytest.mark.parametrize(
    ("conditions", "more", "found"),
    [
        ([], {}, Is.PROGRESSING),
        ([{**READY, "status": "False", "message": "no"}], {}, Is.FAILED),
        ([{**READY, "status": "Unknown"}], {}, Is.PROGRESSING),
        ([READY, {"type": "Reconciling", "status": "True"}], {}, Is.PROGRESSING),
        ([{**READY, "observedGeneration": 1}], {"generation": 2}, Is.PROGRESSING),
        ([READY], {"generation": 2, "observedGeneration": 1}, Is.PROGRESSING),
    ],
)
def test_revision_of_what_is_not_ready_for_this_generation_does_not_run(
    conditions: list[Any], more: dict[str, Any], found: Is
) -> None:
    state = app(*conditions, paths=PATHS, deployed={"version": "2.0.0"}, **more).state

    assert (state.condition, state.content) == (found, None)
