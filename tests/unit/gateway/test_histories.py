"""The history of an environment: which revision, from when to when, how, and by whom."""

from itertools import pairwise

import pytest
from unit.gateway.browsing import browser
from unit.gateway.doubles import FORGE, Scene
from unit.gateway.stories import ADA, Pipeline, ago

from countersign.contracts.messages import Caution
from countersign.gateway.view.histories import How

PAGE = "/p/shop/checkout/prod/history"
API = "/api/v1/pipelines/shop/checkout/environments/prod/history"


def months_of_prod() -> Scene:
    """Promoted, changed by hand, promoted again, and rolled back."""
    scene, checkout = Scene(), Pipeline("checkout")
    first = checkout.promotion("prod", "6.8.0", current="6.7.0", at=ago(days=30))
    second = checkout.promotion("prod", "6.9.0", current="6.8.1", at=ago(days=10))
    third = checkout.promotion("prod", "7.0.0", current="6.9.0", at=ago(days=2))
    scene.tell(
        *first.to_open(31),
        first.merged(31),
        first.completed(),
        second.requested,
        second.begun(by=ADA),
        second.granted(by=ADA),
        second.opened(32),
        second.merged(32),
        second.completed(),
        *third.to_open(33),
        third.merged(33),
        third.undone("6.9.0"),
        checkout.observed(
            checkout.environment("dev", "7.0.0", gate=None),
            checkout.environment("prod", "6.9.0", since=ago(days=2)),
        ),
    )
    return scene


async def test_history_tells_how_each_revision_came_and_who_brought_it() -> None:
    async with browser(months_of_prod()) as client:
        items = (await client.get(API)).json()["items"]

    assert [(i["revision"], i["how"]) for i in items] == [
        ("6.9.0", How.ROLLBACK),
        ("6.9.0", How.PROMOTION),
        ("6.8.1", How.OTHERWISE),
        ("6.8.0", How.PROMOTION),
        ("6.7.0", How.OTHERWISE),
    ]
    assert [i["running"] for i in items] == [True, False, False, False, False]
    assert items[1]["people"] == ["Ada Lovelace"]
    assert items[1]["mergedBy"] == "ada-l"
    assert items[3]["pullRequest"] == f"{FORGE}/acme/gitops/pull/31"
    assert all(newer["since"] == older["until"] for newer, older in pairwise(items))


async def test_history_page_says_the_same_to_people() -> None:
    async with browser(months_of_prod()) as client:
        html = (await client.get(PAGE)).text
        first = (await client.get("/p/shop/checkout/dev/history")).text

    assert "rollback after a failed upgrade" in html
    assert "not by a promotion" in html
    assert "merged by ada-l" in html
    assert "7.0.0" in first
    assert "from its source" in first


@pytest.mark.parametrize(
    ("at", "ran"),
    [("2026-11-20T12:00", ["6.9.0"]), ("2026-11-01", ["6.8.0"]), ("2026-10-01", [])],
    ids=["later", "earlier", "before anything is known"],
)
async def test_what_ran_at_a_moment_is_one_question(at: str, ran: list[str]) -> None:
    async with browser(months_of_prod()) as client:
        items = (await client.get(API, params={"at": at})).json()["items"]

    assert [i["revision"] for i in items] == ran


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01", "9" * 400])
async def test_moment_that_is_none_is_refused(at: str) -> None:
    async with browser(months_of_prod()) as client:
        answers = [await client.get(p, params={"at": at}) for p in (PAGE, API)]

    assert [a.status_code for a in answers] == [400, 400]


async def test_promotion_to_a_lower_version_is_called_so() -> None:
    scene, checkout = Scene(), Pipeline("checkout")
    story = checkout.promotion("prod", "6.8.0", current="6.9.0")
    lower = story.requested.model_copy(update={"cautions": (Caution.DOWNGRADE,)})
    scene.tell(
        lower,
        *story.to_open(41)[1:],
        story.merged(41),
        story.completed(),
        checkout.observed(
            checkout.environment("dev", "6.8.0", gate=None), checkout.environment("prod", "6.8.0")
        ),
    )

    async with browser(scene) as client:
        items = (await client.get(API)).json()["items"]

    assert [i["how"] for i in items] == [How.DOWNGRADE, How.OTHERWISE]
