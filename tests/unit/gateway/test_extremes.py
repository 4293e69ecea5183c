"""Absurd values end neither the projection, nor the hub, nor a page."""

import asyncio
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.gateway.browsing import browser
from unit.gateway.doubles import NOW, Scene
from unit.gateway.extremes import REF, TIMES, events, messages, observations
from unit.gateway.gallery import rich_board

from countersign.contracts.message import Message
from countersign.contracts.messages import PromotionRequested
from countersign.gateway.text import ages

PAGES = (
    "/", "/p/shop/checkout", "/p/shop/checkout/prod", "/p/shop/checkout/prod/promote",
    f"/promotions/{REF.promotion_id}", "/credentials", "/record", "/record.csv", "/record.jsonl",
    "/api/v1/pipelines", "/api/v1/promotions", "/api/v1/credentials", "/api/v1/record",
)  # fmt: skip


async def visit(story: list[Message]) -> list[tuple[str, int]]:
    scene = Scene()
    scene.tell(*story)
    broken = {f.code for t in scene.projection.tracks() for f in t.findings} & {"not_shown"}
    assert not broken
    async with browser(scene) as client:
        return [(path, (await client.get(path)).status_code) for path in PAGES]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    observed=observations,
    requested=messages(PromotionRequested),
    more=st.lists(events, max_size=6),
)
def test_every_page_is_made_whatever_the_events_say(
    observed: Message, requested: Message, more: list[Message]
) -> None:
    answers = asyncio.run(visit([observed, requested, *more]))

    assert [a for a in answers if a[1] >= 500] == []


@pytest.mark.parametrize("text", TIMES)
def test_time_at_the_end_of_the_calendar_has_words(text: str) -> None:
    at = datetime.fromisoformat(text)

    assert ages.absolute(at).endswith("UTC")
    assert ages.machine(at).endswith("Z")
    assert ages.relative(at, now=NOW)
    assert ages.until(at, now=NOW)
    assert ages.duration(at, NOW)


async def test_pipeline_that_cannot_be_shown_leaves_the_others() -> None:
    scene = Scene()
    rich_board(scene)
    key = next(iter(scene.projection.pipelines))
    broken = scene.projection.pipelines[key].model_copy(update={"environments": (None,)})
    scene.projection.pipelines[key] = broken
    scene.projection.position = scene.projection.position.passed("PIPELINES", 10_000)

    tracks = {t.key: t for t in scene.projection.tracks()}
    async with browser(scene) as client:
        board = await client.get("/")

    assert len(tracks) == len(scene.projection.pipelines)
    assert [f.code for f in tracks[key].findings] == ["not_shown"]
    assert board.status_code == 200
