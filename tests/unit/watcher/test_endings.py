"""What ends with a Pipeline that is gone, and whose business that is."""

from datetime import timedelta

import pytest
from doubles.watched import NOW, pipeline_manifest

from countersign.contracts.messages import PipelineDeleted, PipelineObserved
from countersign.kube.pipelines.pipeline import read_pipeline
from countersign.watcher.model import UNSEEN, Scope
from countersign.watcher.observation.endings import endings
from countersign.watcher.observation.projection import Projection


def observed() -> PipelineObserved:
    pipeline = read_pipeline(pipeline_manifest("dev", "prod"))
    return PipelineObserved(pipeline=pipeline.ref, app=pipeline.app, observed_at=NOW)


@pytest.mark.parametrize(
    ("namespaces", "ends"), [(set(), True), ({"shop"}, True), ({"other"}, False)]
)
def test_pipeline_that_is_gone_ends_for_who_looks_after_it(
    namespaces: set[str], *, ends: bool
) -> None:
    projection = Projection()
    projection.apply(observed(), sequence=1, trace={})

    events = endings({}, projection, Scope(now=NOW + UNSEEN, namespaces=frozenset(namespaces)))

    assert [type(event) for event in events] == ([PipelineDeleted] if ends else [])


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("scope", "ends"),
    [
        (Scope(now=NOW + SECOND), False),
        (Scope(now=NOW + SECOND, began=NOW - SECOND), False),
        (Scope(now=NOW + SECOND, began=NOW + SECOND), True),
        (Scope(now=NOW + SECOND, gone={observed().pipeline.uid}), True),
        (Scope(now=NOW + UNSEEN), True),
    ],
    ids=["just told", "since we began", "before we began", "seen to go", "told long ago"],
)
def test_pipeline_that_was_never_seen_ends_when_it_would_have_been(
    scope: Scope, *, ends: bool
) -> None:
    projection = Projection()
    projection.apply(observed(), sequence=1, trace={})

    assert bool(endings({}, projection, scope)) is ends
