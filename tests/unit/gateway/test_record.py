"""The record: every attempt at every promotion, filtered, and exported as it is."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene
from unit.gateway.stories import ADA, Pipeline, ago

from countersign.contracts.messages import CredentialMode, RevocationOutcome, TokenKind
from countersign.contracts.record.tables import BYTE_ORDER_MARK
from countersign.gateway.view.projection import HISTORY_PER_GATE_MAX

DELEGATED: dict[str, Any] = {
    "token_kind": TokenKind.APP_USER,
    "scopes": ("contents:write", "pull_requests:write"),
}


def record_of(scene: Scene) -> None:
    """Of a delegated promotion, a stored one that nobody approved, and one rejected and retried."""
    own = Pipeline("checkout").promotion("prod", "6.9.0", current="6.8.4")
    granted = own.granted().model_copy(update={**DELEGATED, "reason": "SHOP-12"})
    redeemed = own.later(1)
    scene.tell(own.requested, own.begun(), granted, own.opened(41))
    scene.tell(own.revoked().model_copy(update={"redeemed_at": redeemed}), own.merged(41))
    scene.tell(own.completed())

    bot = Pipeline("cart", mode=CredentialMode.STORED)
    stored = bot.promotion("staging", "2.0.0", secret="bot-token", at=ago(days=3))
    scene.tell(stored.requested.model_copy(update={"manual": False}), stored.opened(7))

    twice = Pipeline("web").promotion("prod", "3.1.0", at=ago(days=40))
    scene.tell(twice.requested, twice.rejected("wait for the fix", by=ADA), twice.retried())


def read(text: str) -> list[dict[str, str]]:
    assert text.startswith(BYTE_ORDER_MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK))))


async def lines(scene: Scene, query: str = "") -> list[dict[str, Any]]:
    async with browser(scene) as client:
        answer = await client.get(f"/record.jsonl{query}")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_line_tells_who_when_what_with_what_and_the_end() -> None:
    scene = Scene()
    record_of(scene)

    (line,) = await lines(scene, "?q=checkout")

    (decision,) = line["decisions"]
    token, pull = decision["delegation"], line["pullRequest"]
    assert (decision["by"]["id"], token["account"]) == ("grace", {"id": "7", "login": "grace"})
    assert (token["kind"], token["scopes"]) == ("app_user", [*DELEGATED["scopes"]])
    assert token["redeemedAt"] < token["endedAt"]
    assert (token["end"], decision["reason"]) == ("revoked", "SHOP-12")
    assert (line["change"]["revisionFrom"], line["change"]["revisionTo"]) == ("6.8.4", "6.9.0")
    assert (pull["number"], pull["author"]["login"], pull["mergedBy"]["login"]) == (
        41,
        "grace",
        "ada-l",
    )
    assert (line["state"], line["credential"]) == ("completed", "delegated")
    assert decision["at"].endswith("Z")


async def test_promotion_that_nobody_approved_is_in_the_record() -> None:
    scene = Scene()
    record_of(scene)

    (line,) = await lines(scene, "?credential=stored")
    async with browser(scene) as client:
        html = (await client.get("/record?credential=stored")).text

    assert (line["secret"], line.get("decisions", [])) == ("shop/bot-token", [])
    assert line["pullRequest"]["author"]["login"] == "grace"
    assert "shop/bot-token" in html
    assert "no approval is asked for" in html


async def test_rejection_stays_one_after_it_was_asked_for_again() -> None:
    scene = Scene()
    record_of(scene)

    again, first = await lines(scene, "?q=web")

    assert (first["attempt"], first["state"]) == (1, "rejected")
    assert first["decisions"][0]["by"]["id"] == "ada"
    assert (again["attempt"], again["state"], again["requestedBy"]["id"]) == (2, "waiting", "grace")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 4),
        ("?environment=staging", 1),
        ("?person=ada", 2),
        ("?person=Lovelace", 1),
        (f"?since={ago(days=5):%Y-%m-%d}", 2),
        (f"?until={ago(days=5):%Y-%m-%d}", 2),
        (f"?since={ago(days=3):%Y-%m-%d}&until={ago(days=3):%Y-%m-%d}", 1),
        ("?credential=delegated", 3),
        ("?credential=shop/bot-token", 1),
        ("?q=SHOP-12", 1),
        ("?q=rejected&environment=staging", 0),
    ],
)
async def test_filter_finds(query: str, found: int) -> None:
    scene = Scene()
    record_of(scene)

    assert len(await lines(scene, query)) == found


async def test_day_that_is_none_is_refused() -> None:
    async with browser(Scene()) as client:
        answer = await client.get("/record?since=yesterday")

    assert answer.status_code == 400


async def test_page_tells_absolute_times_and_their_zone_in_its_text() -> None:
    scene = Scene()
    record_of(scene)

    async with browser(scene) as client:
        html = (await client.get("/record?q=cart")).text

    assert f">{ago(days=3):%Y-%m-%d %H:%M UTC}</time>" in html


async def test_table_has_a_mark_a_head_and_cells_without_formulas() -> None:
    scene = Scene()
    story = Pipeline("checkout").promotion("prod", "6.9.0")
    scene.tell(story.requested, story.rejected("=1+1", by=ADA.model_copy(update={"name": "＋x"})))  # noqa: RUF001

    async with browser(scene) as client:
        (row,) = read((await client.get("/record.csv")).text)

    assert row["decision_reason"] == "'=1+1"
    assert row["decided_by"].startswith("'")
    assert (row["decision"], row["state"], row["attempt"]) == ("rejected", "rejected", "1")


async def test_several_decisions_keep_their_places_in_a_cell() -> None:
    scene = Scene()
    story = Pipeline("checkout").promotion("prod", "6.9.0", approvals=2)
    first = story.granted(approval="a").model_copy(update={"reason": ""})
    second = story.granted(by=ADA, approval="b").model_copy(update={"reason": "fine"})
    scene.tell(story.requested, first, second)

    async with browser(scene) as client:
        (row,) = read((await client.get("/record.csv")).text)

    assert row["decided_by_id"] == "grace | ada"
    assert row["decision_reason"] == " | fine"


async def test_record_holds_more_than_a_page_shows() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    for i in range(HISTORY_PER_GATE_MAX + 5):
        story = pipeline.promotion("prod", f"1.0.{i}")
        scene.tell(story.requested, story.superseded())

    assert len(await lines(scene)) == HISTORY_PER_GATE_MAX + 5


async def test_late_word_of_a_promotion_that_no_page_shows_is_recorded() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    old = pipeline.promotion("prod", "0.9.0")
    scene.tell(old.requested, old.granted(), old.opened(3), old.superseded())
    for i in range(HISTORY_PER_GATE_MAX + 5):
        story = pipeline.promotion("prod", f"1.0.{i}")
        scene.tell(story.requested, story.superseded())

    scene.tell(old.revoked())

    (line,) = await lines(scene, "?q=0.9.0")
    assert line["decisions"][0]["delegation"]["end"] == "revoked"


async def test_two_exports_agree_where_they_overlap() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    stories = [pipeline.promotion("prod", f"1.0.{i}", at=ago(days=10 - i)) for i in range(6)]
    for story in stories:
        scene.tell(story.requested, story.granted(), story.opened(9), story.merged(9))
    before = await lines(scene, f"?until={ago(days=6):%Y-%m-%d}")
    scene.tell(stories[5].completed())
    after = await lines(scene, f"?since={ago(days=9):%Y-%m-%d}")

    known = {(one["promotionId"], one["asOf"]): one for one in before}
    both = [one for one in after if (one["promotionId"], one["asOf"]) in known]
    assert len(both) == 4
    assert all(one == known[one["promotionId"], one["asOf"]] for one in both)


async def test_failed_revocation_is_not_hidden_by_a_later_success() -> None:
    scene, story = Scene(), Pipeline("checkout").promotion("prod", "6.9.0")
    failed = {"outcome": RevocationOutcome.FAILED}
    scene.tell(story.requested, story.granted(), story.opened(4))
    scene.tell(story.revoked().model_copy(update=failed), story.revoked())

    (line,) = await lines(scene)

    assert line["decisions"][0]["delegation"]["end"] == "failed"


async def test_merge_that_was_forged_is_taken_back() -> None:
    scene, story = Scene(), Pipeline("checkout").promotion("prod", "6.9.0")
    scene.tell(story.requested, story.granted(), story.opened(4), story.merged(4))
    story.later(timedelta(minutes=5).total_seconds())
    scene.tell(story.updated("1 check", 4))

    (line,) = await lines(scene)

    assert line["state"] == "open"
    assert "mergedAt" not in line["pullRequest"]
