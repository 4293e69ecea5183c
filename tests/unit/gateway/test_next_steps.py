"""Every state of a gate leads on: to an action, or to who can act."""

from datetime import timedelta

import pytest
from unit.gateway.browsing import browser, token_of
from unit.gateway.doubles import Scene
from unit.gateway.stories import GRACE, Pipeline, Story, ago
from unit.gateway.test_gates import CASES, Told, asked

from countersign.contracts.messages import GateState as Observed
from countersign.contracts.messages import RevokeRequest
from countersign.contracts.promotion import ATTEMPTS_MAX, OVERDUE, State
from countersign.gateway.gate_states import STATES, GateState
from countersign.gateway.gates.actions import RETRY
from countersign.gateway.model import PipelineKey

PEOPLE = ("grace", "ada", "alan")
BOARD = "/p/shop/checkout/prod"


def staged(told: Told) -> tuple[Scene, Story]:
    scene, pipeline = Scene(), Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4")
    scene.tell(
        *told(story),
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=Observed.PENDING),
        ),
    )
    return scene, story


def leads_on(html: str) -> bool:
    now = html.partition('<section class="now')[2].partition("</section>")[0]
    may_not = "You may look, but not promote here. Ask for" in html
    return may_not or 'class="button' in now or "<button" in now


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize(("state", "told"), [c[:2] for c in CASES], ids=[c[0] for c in CASES])
async def test_state_of_a_gate_leads_on(state: GateState, told: Told, person: str) -> None:
    scene, _ = staged(told)

    async with browser(scene, person=person) as client:
        html = (await client.get(BOARD)).text

    assert STATES[state].is_calm or leads_on(html)


@pytest.mark.parametrize(
    ("person", "there", "absent"),
    [
        ("grace", ["Continue signing in", "Cancel"], ["Promote 6.9.0…", "Reject 6.9.0"]),
        ("ada", ["Promote 6.9.0…", "Reject 6.9.0"], ["Continue signing in"]),
        ("alan", ["Ask for"], ["Promote 6.9.0…", "Continue signing in"]),
    ],
    ids=["who began", "another", "who may not"],
)
async def test_sign_in_under_way_leads_each_person_on(
    person: str, there: list[str], absent: list[str]
) -> None:
    scene, _ = staged(asked)

    async with browser(scene, person=person) as client:
        html = (await client.get(BOARD)).text.partition("<main")[2]
        board = (await client.get("/")).text

    assert all(text in html for text in there)
    assert not any(text in html for text in absent)
    assert ("Nothing is waiting for you" in board) == (person != "grace")


LONG = OVERDUE[State.OPEN] + timedelta(hours=1)


@pytest.mark.parametrize("late", [False, True])
async def test_open_pull_request_that_is_blocked_is_marked_and_may_be_given_up_in_time(
    *,
    late: bool,
) -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0", at=ago(hours=1) - LONG if late else None)
    prod = pipeline.environment(
        "prod", "6.8.4", gate=Observed.BLOCKED, gate_message="dev is ill", promotion_id=story.id
    )
    scene.tell(
        *story.to_open(41),
        pipeline.observed(pipeline.environment("staging", "6.9.0", gate=None), prod),
    )

    async with browser(scene) as client:
        page, board = (await client.get(BOARD)).text, (await client.get("/?show=blocked")).text

    assert "dev is ill" in page
    assert 'href="/p/shop/checkout"' in board
    assert ("Give up" in page, "Ask again" in page) == (late, late)


@pytest.mark.parametrize(("attempt", "offered"), [(1, True), (ATTEMPTS_MAX, False)])
def test_another_try_is_offered_as_often_as_approval_takes_it(
    *, attempt: int, offered: bool
) -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0")
    scene.tell(
        story.requested,
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=Observed.PENDING),
        ),
        *(e for _ in range(1, attempt) for e in (story.failed(), story.retried())),
        story.failed(),
    )

    track = scene.projection.track(PipelineKey("shop", "checkout"))

    assert track is not None
    gate = track.gate("prod")
    assert gate is not None
    assert (RETRY in {a.verb for a in gate.actions}) == offered


async def test_cancelling_ends_ones_own_sign_in_for_that_promotion() -> None:
    scene, story = staged(asked)

    async with browser(scene) as client:
        data = {"form_token": await token_of(client), "promotion_id": story.id}
        answer = await client.post(f"{BOARD}/cancel", data=data)

    (method, request) = scene.requests.told[-1]
    assert answer.status_code == 303
    assert method == "approval.revoke"
    assert isinstance(request, RevokeRequest)
    assert (request.person.id, request.promotion_id) == (GRACE.id, story.id)


async def test_completed_promotion_leads_to_the_next_gate() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    story = pipeline.promotion("staging", "6.9.0", current="6.8.4", below="dev")
    scene.tell(
        *story.to_open(41),
        story.merged(41),
        story.completed(),
        pipeline.observed(
            pipeline.environment("dev", "6.9.0", gate=None),
            pipeline.environment("staging", "6.9.0"),
            pipeline.environment("prod", "6.8.4"),
        ),
    )

    async with browser(scene) as client:
        html = (await client.get(f"/promotions/{story.id}")).text

    assert 'href="/p/shop/checkout/prod">Next: prod</a>' in html


async def test_namespace_is_a_scope_for_counts_cards_and_searches() -> None:
    scene = Scene()
    for namespace in ("shop", "bank"):
        pipeline = Pipeline("checkout", namespace=namespace)
        scene.tell(
            pipeline.observed(
                pipeline.environment("staging", "6.9.0", gate=None),
                pipeline.environment("prod", "6.8.4", gate=Observed.PENDING),
            ),
            pipeline.promotion("prod", "6.9.0", current="6.8.4").requested,
        )

    async with browser(scene) as client:
        everything = (await client.get("/")).text
        scoped = (await client.get("/?namespace=bank")).text

    assert 'id="count-needs-me">2<' in everything
    assert 'id="count-needs-me">1<' in scoped
    assert 'Waiting for you <span class="count">1</span>' in scoped
    assert "shop/</span>checkout" not in scoped
