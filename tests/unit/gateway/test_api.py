"""The JSON API: described with examples, times as fields, problems as programs expect them."""

import json
from typing import Any

import pytest
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene
from unit.gateway.gallery import rich_board
from unit.gateway.test_gates import CASES, Told
from unit.gateway.test_next_steps import staged

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Retryable
from countersign.contracts.messages import Problem, RetryResponse
from countersign.gateway.api.examples import EXAMPLES
from countersign.gateway.api.openapi import OPERATIONS, description
from countersign.gateway.refusals import Delay

HOLES = ("  ", " ·", "·  ", " ,", ", ·", " .", " :", "for $", "opened $")


def test_every_answer_and_body_has_an_example_that_fits() -> None:
    shapes = {o.answer for o in OPERATIONS} | {o.body for o in OPERATIONS if o.body}

    assert shapes <= set(EXAMPLES)
    for shape, example in EXAMPLES.items():
        shape.model_validate_json(json.dumps(example))


def test_description_shows_an_example_wherever_there_is_content() -> None:
    document: Any = json.loads(description())
    answers = [
        content
        for path in document["paths"].values()
        for operation in path.values()
        for answer in operation["responses"].values()
        for content in answer["content"].values()
    ]

    assert answers
    assert all("example" in content for content in answers)


@pytest.mark.parametrize("told", [c[1] for c in CASES], ids=[c[0] for c in CASES])
async def test_sentence_without_its_age_has_no_hole(told: Told) -> None:
    scene, _ = staged(told)

    async with browser(scene) as client:
        body = (await client.get("/api/v1/pipelines/shop/checkout")).json()

    gate = body["environments"][1]["gate"]
    assert not [hole for hole in HOLES if hole in f"{gate['sentence']}$"]
    assert gate["since"]


async def test_times_of_a_promotion_are_fields() -> None:
    scene, story = staged(lambda s: [*s.to_open(41), s.merged(41)])

    async with browser(scene) as client:
        body = (await client.get(f"/api/v1/promotions/{story.id}")).json()

    assert body["requestedAt"] < body["openedAt"] < body["mergedAt"]
    assert body["completedAt"] is None
    assert body["mergedBy"] == "ada-l"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/pipelines/shop/nothing", 404),
        ("GET", "/api/v1/promotions/nothing", 404),
        ("GET", "/api/v1/credentials/shop/nothing", 404),
        ("GET", "/api/v1/pipelines/shop/checkout/environments/nothing/history", 404),
        ("PUT", "/api/v1/pipelines", 405),
        ("POST", "/api/v1/promotions/nothing/begin", 403),
    ],
)
async def test_refusal_is_a_problem_for_programs(method: str, path: str, status: int) -> None:
    scene = Scene()
    rich_board(scene)

    async with browser(scene) as client:
        answer = await client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= set(answer.json())


async def test_program_that_is_not_signed_in_gets_a_problem_and_no_page() -> None:
    async with browser(Scene(), person="") as client:
        answer = await client.get("/api/v1/pipelines")

    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (RetryResponse(problem=Problem(code=ConsentRefusal.NOT_WAITING, message="open")), 409),
        (RetryResponse(problem=Problem(code=ConsentRefusal.STREAM_REFUSED, message="full")), 503),
        (Retryable(Delay.TIMEOUT, "approval.retry"), 503),
    ],
    ids=["refused", "full stream", "no answer"],
)
async def test_problem_of_an_action_names_the_page_where_it_stands(
    answer: Any, status: int
) -> None:
    scene, story = staged(lambda s: [s.requested])
    scene.requests.answers["approval.retry"] = answer

    async with browser(scene) as client:
        token = (await client.get("/api/v1/session")).json()["formToken"]
        headers = {"X-Countersign-Form": token}
        got = await client.post(f"/api/v1/promotions/{story.id}/retry", headers=headers)

    assert got.status_code == status
    assert got.json()["instance"] == f"/promotions/{story.id}"
