"""Labels at the forges that set them by number, which only a scope of its own tells."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.doubles import DOUBLES
from conformance.stages import OTHER, PLACE, READER, WRITER, Stage, small_stage, stage_of
from conformance.test_writing import opened

from countersign.contracts.errors import Rejected
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.interface import LookScope

BY_NUMBER = [name for name, double in DOUBLES.items() if double.labelling]


@pytest.fixture(params=BY_NUMBER)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage_of(request.param, tmp_path) as made:
        yield made


async def refused(stage: Stage, number: int, *labels: str, who: str = WRITER) -> str:
    with pytest.raises(Rejected) as caught:
        await stage.client(who=who).label(PLACE, number, labels=labels)
    return caught.value.reason


async def test_repository_that_takes_no_pull_requests_says_what_to_do(tmp_path: Path) -> None:
    for kind in BY_NUMBER:
        async with small_stage(kind) as stage:
            stage.repository.takes_pulls = False

            with pytest.raises(Rejected) as caught:
                await stage.client().look(PLACE, LookScope(head_branch="countersign/x"))

            assert caught.value.reason == ForgeRefusal.NOT_FOUND


async def test_labels_that_it_has_stay(stage: Stage) -> None:
    stage.label("promotion", "reviewed", "team: shop")
    number = await opened(stage, stage.client())
    await stage.client().label(PLACE, number, labels=["reviewed"])

    await stage.client().label(PLACE, number, labels=["promotion", "team: shop"])

    assert set(stage.pull(number).labels) == {"promotion", "reviewed", "team: shop"}


async def test_label_beyond_the_first_page_is_found(stage: Stage) -> None:
    stage.label("zebra", *(f"label-{n:02}" for n in range(60)))
    number = await opened(stage, stage.client())

    await stage.client().label(PLACE, number, labels=["zebra"])

    assert stage.pull(number).labels == ("zebra",)


async def test_labels_that_are_there_are_given_and_the_absent_told(stage: Stage) -> None:
    stage.label("promotion")
    number = await opened(stage, stage.client())

    reason = await refused(stage, number, "nobody made this", "promotion")

    assert reason == ForgeRefusal.NOT_FOUND
    assert stage.pull(number).labels == ("promotion",)


async def test_token_without_the_scope_labels_nothing(stage: Stage) -> None:
    stage.label("promotion")
    number = await opened(stage, stage.client())

    reason = await refused(stage, number, "promotion", who=READER)

    assert reason == ForgeRefusal.FORBIDDEN
    assert stage.pull(number).labels == ()


async def test_scope_to_comment_is_enough_to_label(stage: Stage) -> None:
    stage.label("promotion")
    number = await opened(stage, stage.client())

    await stage.client(who=OTHER).label(PLACE, number, labels=["promotion"])

    assert stage.pull(number).labels == ("promotion",)
