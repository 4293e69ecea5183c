"""Trouble is never off-screen: runs of level environments fold, everything else stands there."""

import pytest
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene
from unit.gateway.stories import Condition, Pipeline

from countersign.contracts.messages import EnvironmentObserved
from countersign.contracts.messages import GateState as Observed
from countersign.gateway.model import PipelineKey
from countersign.gateway.view.lanes import FOLDED_FROM, lane

KEY = PipelineKey("shop", "edge")


def told(*environments: EnvironmentObserved) -> Scene:
    scene = Scene()
    scene.tell(Pipeline("edge").observed(*environments))
    return scene


def stops(*environments: EnvironmentObserved) -> list[str]:
    track = told(*environments).projection.track(KEY)
    assert track is not None
    return [s.names if s.count > 1 else s.first.name for s in lane(track.environments)]


def level(*names: str) -> list[EnvironmentObserved]:
    return [Pipeline("edge").environment(n, "1.0.0") for n in names]


FIRST = Pipeline("edge").environment("dev", "1.0.0", gate=None)


@pytest.mark.parametrize(
    "trouble",
    [
        Pipeline("edge").environment("x", "1.0.0", condition=Condition.FAILED),
        Pipeline("edge").environment("x", "1.0.0", condition=Condition.UNKNOWN),
        Pipeline("edge").environment("x", "0.9.0", gate=Observed.BLOCKED, gate_message="no"),
        Pipeline("edge").environment("x", "0.9.0", gate=Observed.PENDING),
    ],
    ids=["failed", "unknown", "blocked", "pending"],
)
def test_environment_that_is_not_level_stands_alone_between_folded_ones(
    trouble: EnvironmentObserved,
) -> None:
    found = stops(FIRST, *level("a", "b", "c"), trouble, *level("d", "e", "f"))

    assert found[:3] == ["dev", "a, b, c", "x"]
    assert found[-1].endswith("e, f")


def test_short_track_folds_nothing() -> None:
    environments = (FIRST, *level(*"abc"))

    assert len(environments) == FOLDED_FROM - 1
    assert stops(*environments) == ["dev", "a", "b", "c"]


async def test_folded_environments_are_counted_and_lead_to_all_of_them() -> None:
    scene = told(FIRST, *level(*"abcdef"))

    async with browser(scene) as client:
        board = (await client.get("/")).text
        page = (await client.get("/p/shop/edge")).text

    assert "<strong>6 level</strong>" in board
    assert 'title="a, b, c, d, e, f"' in board
    assert all(f">{name}</a>" in page for name in "abcdef")
