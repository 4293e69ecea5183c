"""Nothing that somebody reads or writes is pulled from under them by what others do."""

import asyncio
import re

import pytest
from unit.gateway.browsing import browser, token_of
from unit.gateway.doubles import Scene
from unit.gateway.stories import ADA, Story
from unit.gateway.test_gates import CASES, Told
from unit.gateway.test_next_steps import staged

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.message import Message
from countersign.contracts.messages import EnvironmentCondition, Problem, RejectResponse
from countersign.contracts.messages import GateState as Observed
from countersign.gateway.gate_states import STATES, GateState
from countersign.gateway.live.hub import Client
from countersign.gateway.live.rendition import View
from countersign.gateway.model import PipelineKey

KEY = PipelineKey("shop", "checkout")
SHEET = "/p/shop/checkout/prod/promote"
CONTINUE = "as yourself</button>"
_AGE = re.compile(r"<time [^>]*>[^<]*</time>")


def page_of(scene: Scene, view: View) -> Client:
    """An open page of Grace's."""
    person = scene.people[0]
    client = Client(
        view=view,
        person=person,
        audience=scene.access.audience(person),
        session_id="s",
        form_token="t",
    )
    scene.hub.join(client, since=scene.projection.position)
    return client


async def shown(scene: Scene, client: Client, *events: Message) -> str:
    """The change that an open page is sent for these events."""
    scene.tell(*events)
    async with asyncio.TaskGroup() as tasks:
        hub = tasks.create_task(scene.hub.run())
        async with asyncio.timeout(10):
            told = (await client.queue.get()).decode().replace("\ndata: ", "\n")
        hub.cancel()
    return told


def open_sheet(scene: Scene, story: Story) -> Client:
    view = View(pipeline=KEY, environment="prod", promotion_id=story.id, is_sheet=True)
    return page_of(scene, view)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (lambda s: [s.rejected("not on Fridays", by=ADA)], "not on Fridays"),
        (lambda s: [s.begun(by=ADA), s.granted(by=ADA)], "opening"),
        (lambda s: s.to_open(41)[1:], "#41"),
        (lambda s: [s.superseded()], "6.9.0 is overtaken"),
    ],
    ids=["rejected", "approved", "opened", "overtaken"],
)
async def test_sheet_says_that_it_was_decided_before_anybody_presses(
    told: Told, words: str
) -> None:
    scene, story = staged(lambda s: [s.requested])
    client = open_sheet(scene, story)

    change = await shown(scene, client, *told(story))

    assert words in change
    assert CONTINUE not in change
    assert f'href="/promotions/{story.id}"' in change


async def test_sheet_never_turns_into_that_of_another_promotion() -> None:
    scene, story = staged(lambda s: [s.requested])
    newer = story.pipeline.promotion("prod", "6.9.1", current="6.8.4")
    client = open_sheet(scene, story)

    change = await shown(scene, client, story.superseded(by=newer.id), newer.requested)

    assert "Look at 6.9.1…" in change
    assert newer.id not in change
    assert CONTINUE not in change


async def test_sheet_says_at_once_that_the_environment_below_is_not_well() -> None:
    scene, story = staged(lambda s: [s.requested])
    client, pipeline = open_sheet(scene, story), story.pipeline

    change = await shown(
        scene,
        client,
        pipeline.observed(
            pipeline.environment(
                "staging", "6.9.0", gate=None, condition=EnvironmentCondition.FAILED
            ),
            pipeline.environment("prod", "6.8.4", gate=Observed.PENDING),
        ),
    )

    assert "staging does not run this healthily" in change
    assert CONTINUE in change


async def test_refusal_leads_to_where_it_stands_and_gives_back_what_was_written() -> None:
    scene, story = staged(lambda s: [s.requested])
    problem = Problem(code=ConsentRefusal.NOT_WAITING, message="it is open")
    scene.requests.answers["approval.reject"] = RejectResponse(problem=problem)

    async with browser(scene) as client:
        fields = {"promotion_id": story.id, "reason": "wait <for> the fix"}
        data = fields | {"form_token": await token_of(client)}
        answer = await client.post("/p/shop/checkout/prod/reject", data=data)

    assert answer.status_code == 409
    assert f'href="/promotions/{story.id}"' in answer.text
    assert "wait &lt;for&gt; the fix" in answer.text


async def test_field_for_a_reason_is_kept_by_the_promotion_it_is_about() -> None:
    scene, story = staged(lambda s: [s.requested])

    async with browser(scene) as client:
        pages = [(await client.get(p)).text for p in (SHEET, "/p/shop/checkout/prod")]

    assert all(f'data-draft="{story.id}"' in html and 'id="kept"' in html for html in pages)


def live_part(html: str) -> str:
    inner = html.partition('<div id="live">')[2].partition('<p id="notice"')[0]
    return inner.partition('<aside id="kept"')[0]


def comparable(html: str) -> str:
    text = re.sub(r'name="form_token" value="[^"]*"', "", _AGE.sub("<time>", html))
    return re.sub(r"\s+", "", text).removesuffix("</div>").partition("</hx-partial>")[0]


@pytest.mark.parametrize(("state", "told"), [c[:2] for c in CASES], ids=[c[0] for c in CASES])
async def test_promotion_has_one_sentence_live_and_after_a_reload(
    state: GateState, told: Told
) -> None:
    """The page that was open all the while, and the same page loaded now."""
    scene, story = staged(lambda _: [])
    client = page_of(scene, View(pipeline=KEY, environment="prod", promotion_id=story.id))

    change = await shown(scene, client, *told(story))
    async with browser(scene) as visitor:
        html = (await visitor.get(f"/promotions/{story.id}")).text

    live = change.partition('hx-target="#live" hx-swap="innerMorph">')[2]
    assert STATES[state].look.word in live
    assert comparable(live) == comparable(live_part(html))
