"""Sentences for people name no machine and no step of ours."""

import pytest
from unit.gateway.browsing import browser
from unit.gateway.test_next_steps import staged

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.messages import BeginResponse, FailureReason, Problem
from countersign.gateway.timeline.failures import FAILURE_WORDS

INNER = "localhost:27469: narrow the token: no answer in time"


@pytest.mark.parametrize("reason", FAILURE_WORDS, ids=lambda r: r.name)
async def test_failure_is_said_in_words_and_its_details_stand_apart(reason: FailureReason) -> None:
    scene, _ = staged(lambda s: [s.requested, s.begun(), s.granted(), s.failed(reason, INNER)])

    async with browser(scene) as client:
        gate = (await client.get("/p/shop/checkout/prod")).text
        board = (await client.get("/")).text

    details = f"<summary>Technical details</summary><code>{INNER}</code>"
    assert (
        "GitHub" in gate.partition("now-sentence")[2][:60] or "{forge}" not in FAILURE_WORDS[reason]
    )
    assert gate.count(INNER) == gate.count(details) == 1
    assert INNER not in board


@pytest.mark.parametrize(
    "code",
    [
        ConsentRefusal.FORGE_UNAVAILABLE,
        ConsentRefusal.TOKEN_TOO_STRONG,
        ConsentRefusal.TOKEN_TOO_LONG_LIVED,
    ],
)
async def test_refusal_of_a_sign_in_names_no_machine(code: ConsentRefusal) -> None:
    scene, story = staged(lambda s: [s.requested])
    scene.requests.answers["approval.begin"] = BeginResponse(
        problem=Problem(code=code, message=INNER)
    )

    async with browser(scene) as client:
        token = (await client.get("/api/v1/session")).json()["formToken"]
        data = {"form_token": token, "promotion_id": story.id}
        answer = await client.post("/p/shop/checkout/prod/promote", data=data)

    assert answer.status_code >= 400
    details = f"<summary>Technical details</summary><code>{INNER}</code>"
    assert answer.text.count(INNER) == answer.text.count(details) == 1
