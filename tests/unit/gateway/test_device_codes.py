"""Signing in by a code: who is offered it, what the page says, and who is shown it."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from unit.gateway.browsing import browser, form_token
from unit.gateway.doubles import FORGE, FORGES, NOW, Scene
from unit.gateway.stories import Pipeline, Story

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.messages import (
    BeginRequest,
    BeginResponse,
    GateState,
    PollRequest,
    PollResponse,
    Problem,
    UserCode,
)
from countersign.gateway.html.templates import gate_page
from countersign.gateway.model import GateKey, May, PipelineKey
from countersign.messaging.refusals import BusRefusal

CODE = UserCode(code="WDJB-MJHT", url=f"{FORGE}/login/device")
ELSEWHERE = CODE.model_copy(update={"url": f"{FORGE}.evil.example/login/device"})
TYPE = "Type a code at GitHub instead"
SHEET = "/p/shop/checkout/prod/promote"
WARNING = "Go on only if you yourself have just asked for this code"


def waiting(*, device_flow: bool = True) -> tuple[Scene, Story]:
    entry = FORGES.forges[0].model_copy(update={"device_flow": device_flow})
    scene, pipeline = Scene(forges=ForgeList(forges=(entry,))), Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4")
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        story.requested,
    )
    return scene, story


def begun(scene: Scene, story: Story) -> None:
    """Grace has asked for a code."""
    scene.tell(story.begun().model_copy(update={"device": True}))
    until = NOW + timedelta(minutes=5)
    scene.requests.answers["approval.poll"] = PollResponse(expires_at=until, user_code=CODE)


@pytest.mark.parametrize("device_flow", [True, False])
async def test_code_is_offered_where_the_administrator_turned_it_on(*, device_flow: bool) -> None:
    scene, _ = waiting(device_flow=device_flow)

    async with browser(scene) as client:
        html = (await client.get(SHEET)).text

    assert (TYPE in html) == device_flow


@pytest.mark.parametrize(("said", "device"), [("yes", True), ("no", False), ("", False)])
async def test_button_says_which_way(said: str, device: bool) -> None:  # noqa: FBT001 - a case
    scene, story = waiting()
    if device:
        answer = BeginResponse(approval_id="ap1", replica="r1", user_code=CODE)
        scene.requests.answers["approval.begin"] = answer

    async with browser(scene) as client:
        page = (await client.get(SHEET)).text
        fields = {"form_token": form_token(page), "promotion_id": story.id}
        answered = await client.post(SHEET, data=fields | ({"device": said} if said else {}))

    request = scene.requests.asked[-1][1]
    assert isinstance(request, BeginRequest)
    assert request.device is device
    there = answered.headers["location"]
    assert there == f"/promotions/{story.id}" if device else there.startswith(FORGE)
    assert CODE.code not in there


async def ask_for_a_code(scene: Scene, story: Story, body: Any) -> httpx2.Response:
    """As a program does."""
    async with browser(scene) as client:
        token = (await client.get("/api/v1/session")).json()["formToken"]
        return await client.post(
            f"/api/v1/promotions/{story.id}/begin",
            json=body,
            headers={"X-Countersign-Form": token},
        )


async def test_program_is_told_the_code_that_its_person_types() -> None:
    scene, story = waiting()
    answer = BeginResponse(approval_id="ap1", replica="r1", user_code=CODE)
    scene.requests.answers["approval.begin"] = answer

    got = await ask_for_a_code(scene, story, {"reason": "the fix", "device": True})

    told, request = got.json(), scene.requests.asked[-1][1]
    assert isinstance(request, BeginRequest)
    assert (request.device, request.reason) == (True, "the fix")
    assert told["userCode"] == {"code": CODE.code, "url": CODE.url}
    assert (told["authorizeUrl"], told["granted"], told["approvalId"]) == ("", False, "ap1")


@pytest.mark.parametrize("body", [{}, {"device": False}])
async def test_program_that_wants_no_code_is_led_to_the_forge(body: Any) -> None:
    scene, story = waiting()

    told = (await ask_for_a_code(scene, story, body)).json()

    request = scene.requests.asked[-1][1]
    assert isinstance(request, BeginRequest)
    assert not request.device
    assert told["authorizeUrl"].startswith(f"{FORGE}/")
    assert told["userCode"] is None


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (
            BeginResponse(problem=Problem(code=ConsentRefusal.DEVICE_FLOW_OFF, message="off")),
            404,
            "device_flow_off",
        ),
        (BeginResponse(user_code=ELSEWHERE), 409, "forge_not_listed"),
        (BeginResponse(authorize_url=ELSEWHERE.url), 409, "forge_not_listed"),
    ],
    ids=["off", "code for elsewhere", "sign-in elsewhere"],
)
async def test_program_is_sent_to_no_page_but_of_the_forge(
    answer: BeginResponse, status: int, code: str
) -> None:
    scene, story = waiting()
    scene.requests.answers["approval.begin"] = answer

    got = await ask_for_a_code(scene, story, {"device": True})

    assert (got.status_code, got.json()["code"]) == (status, code)
    assert got.json()["instance"] == f"/promotions/{story.id}"
    assert "evil.example" not in got.text
    assert CODE.code not in got.text


@pytest.mark.parametrize("body", [{"device": "perhaps"}, {"device": None}, {"devise": True}])
async def test_program_that_asks_unclearly_begins_nothing(body: Any) -> None:
    scene, story = waiting()

    got = await ask_for_a_code(scene, story, body)

    assert (got.status_code, got.json()["code"]) == (400, "bad_request")
    assert not scene.requests.asked


async def test_who_goes_on_signing_in_does_so_in_the_same_way() -> None:
    scene, story = waiting()
    begun(scene, story)

    async with browser(scene) as client:
        page = (await client.get(f"/promotions/{story.id}")).text
        fields = {"form_token": form_token(page), "promotion_id": story.id}
        await client.post(SHEET, data=fields)

    request = scene.requests.asked[-1][1]
    assert isinstance(request, BeginRequest)
    assert request.device


async def test_page_shows_the_code_with_a_warning_beside_what_is_agreed_to() -> None:
    scene, story = waiting()
    begun(scene, story)

    async with browser(scene) as client:
        html = (await client.get(f"/promotions/{story.id}")).text

    method, request, replica = scene.requests.asked[-1]
    assert (method, replica) == ("approval.poll", "r1")
    assert isinstance(request, PollRequest)
    assert CODE.code in html
    assert f'href="{CODE.url}"' in html
    assert WARNING in html
    assert "14:07" in html
    assert "acme/gitops" in html


async def test_nobody_else_is_shown_the_code() -> None:
    scene, story = waiting()
    begun(scene, story)

    async with browser(scene, person="ada") as client:
        html = (await client.get(f"/promotions/{story.id}")).text

    assert [a for a in scene.requests.asked if a[0] == "approval.poll"] == []
    assert CODE.code not in html


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Rejected(ConsentRefusal.SESSION_MISMATCH, "another"), "You began that in another browser"),
        (Rejected(ConsentRefusal.EXPIRED, "over"), ""),
        (Retryable(BusRefusal.NO_RESPONDER, "gone"), ""),
    ],
    ids=["another session", "over", "replica gone"],
)
async def test_code_that_cannot_be_told_leaves_the_page_as_it_is(
    error: Exception, words: str
) -> None:
    scene, story = waiting()
    begun(scene, story)
    scene.requests.answers["approval.poll"] = error

    async with browser(scene) as client:
        answer = await client.get(f"/promotions/{story.id}")

    assert answer.status_code == 200
    assert WARNING not in answer.text
    assert words in answer.text
    assert "Continue signing in" in answer.text


async def test_page_of_another_origin_is_no_place_to_type_a_code() -> None:
    scene, story = waiting()
    begun(scene, story)
    scene.requests.answers["approval.poll"] = PollResponse(user_code=ELSEWHERE)

    async with browser(scene) as client:
        html = (await client.get(f"/promotions/{story.id}")).text

    assert "evil.example" not in html
    assert CODE.code not in html


async def test_code_leaves_an_open_page_once_the_sign_in_has_ended() -> None:
    scene, story = waiting()
    begun(scene, story)
    key = PipelineKey("shop", "checkout")
    emptied = scene.templates.partial("code", "")

    def live() -> str:
        at = GateKey(key, "prod")
        track = scene.projection.track(key)
        timeline = scene.projection.timelines[story.id]
        may = May(lambda _: True, "grace")
        return scene.templates.gate(key, gate_page(track, timeline, at, may, ()))

    before = live()
    scene.tell(story.granted())

    assert emptied not in before
    assert emptied in live()
