"""What pages show to somebody who may see or promote a part only, and who is who at the forge."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from starlette.requests import Request
from unit.gateway.browsing import browser, token_of
from unit.gateway.doubles import Scene
from unit.gateway.stories import ADA, ADA_THERE, Pipeline, credential

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person, TokenKind
from countersign.gateway.access.denials import missing_right
from countersign.gateway.interfaces import Missing, Right, Scope
from countersign.gateway.live.hub import CLIENTS_PER_PERSON_MAX, Client
from countersign.gateway.live.rendition import View
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.pages.events import Events
from countersign.gateway.refusals import Delay
from countersign.gateway.schedule import recheck

COOKIE = "countersign-8080"
CHECKOUT = Pipeline("checkout")
HIDDEN = Pipeline("ledger", namespace="bank")


@dataclass
class Table:
    """An `Access` from sets of names."""

    seen: frozenset[str] = frozenset({"shop"})
    promoted: frozenset[str] = frozenset({"staging"})
    credentials: frozenset[str] = frozenset()
    away: bool = False

    async def learn(self, person: Person, wanted: Callable[[], Scope]) -> None:
        del person
        wanted()
        if self.away:
            raise Retryable(Delay.ACCESS_UNKNOWN, "nobody answers")

    def may_see(self, person: Person, pipeline: PipelineKey) -> bool:
        del person
        return pipeline.namespace in self.seen

    def may_promote(self, person: Person, gate: GateKey) -> bool:
        return self.may_see(person, gate.pipeline) and (gate.environment in self.promoted)

    def may_see_credentials(self, person: Person, *, namespace: str) -> bool:
        del person
        return namespace in self.credentials

    def audience(self, person: Person) -> str:
        del person
        return f"{self.seen}{self.promoted}"

    def missing(self, person: Person, right: Right, gate: GateKey) -> Missing:
        return missing_right(person, right, gate)


def furnished(access: Table) -> Scene:
    scene = Scene(access=access)
    for pipeline in (CHECKOUT, HIDDEN):
        stages = ("staging", "prod")
        stories = [pipeline.promotion(s, "6.9.0", current="6.8.4") for s in stages]
        scene.tell(
            pipeline.observed(
                pipeline.environment("dev", "6.9.0", gate=None),
                *(pipeline.environment(s, "6.8.4") for s in stages),
            ),
            *(s.requested for s in stories),
        )
    return scene


async def test_board_offers_what_one_may_promote_and_no_more() -> None:
    async with browser(furnished(Table())) as client:
        board = (await client.get("/")).text
        items = (await client.get("/api/v1/pipelines")).json()["items"]

    assert "/p/shop/checkout/staging/promote" in board
    assert "/p/shop/checkout/prod/promote" not in board
    assert "ledger" not in board
    gates = {e["name"]: e["gate"]["mayPromote"] for e in items[0]["environments"] if e["gate"]}
    assert gates == {"staging": True, "prod": False}


@pytest.mark.parametrize("path", ["/record", "/record.csv", "/record.jsonl", "/api/v1/record"])
async def test_record_holds_nothing_of_a_hidden_pipeline(path: str) -> None:
    async with browser(furnished(Table())) as client:
        text = (await client.get(path)).text

    assert "checkout" in text
    assert "ledger" not in text


async def test_action_beyond_ones_rights_is_refused_with_what_grants_it() -> None:
    scene = furnished(Table())
    promotion = CHECKOUT.promotion("prod", "6.9.0", current="6.8.4").id
    hidden = HIDDEN.promotion("staging", "6.9.0", current="6.8.4").id
    async with browser(scene) as client:
        token = {"X-Countersign-Form": await token_of(client)}
        refused = await client.post(f"/api/v1/promotions/{promotion}/begin", headers=token)
        unknown = await client.post(f"/api/v1/promotions/{hidden}/begin", headers=token)
        # The address names what one may do, the form something else.
        data = {"form_token": token["X-Countersign-Form"], "promotion_id": hidden}
        sneaked = await client.post("/p/shop/checkout/staging/promote", data=data)

    assert refused.status_code == 403
    assert "- pipelines/prod\n" in refused.json()["grant"]
    assert unknown.status_code == sneaked.status_code == 404
    assert scene.requests.asked == []


async def test_right_that_is_missing_is_named_outside_of_any_fold() -> None:
    async with browser(furnished(Table())) as client:
        refused = await client.get("/p/shop/checkout/prod/access")

    read, fold, _ = refused.text.partition("<details><summary>What an administrator can apply")
    assert refused.status_code == 403
    assert fold
    assert "“get” on pipelines/credentials in namespace shop" in read


async def test_hidden_pipeline_answers_as_one_that_does_not_exist() -> None:
    async with browser(furnished(Table())) as client:
        for path in ("/p/bank/ledger", "/p/bank/nothing", "/api/v1/pipelines/bank/ledger"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert "Role" in answer.text
        listed = (await client.get("/api/v1/promotions")).text

    assert "ledger" not in listed


async def test_promotion_of_a_hidden_pipeline_answers_as_one_that_does_not_exist() -> None:
    hidden = HIDDEN.promotion("staging", "6.9.0", current="6.8.4")

    async with browser(furnished(Table())) as client:
        for path in ("/promotions/{}", "/api/v1/promotions/{}"):
            there = await client.get(path.format(hidden.id))
            nowhere = await client.get(path.format("n" * 16))

            assert there.status_code == nowhere.status_code == 404
            assert "ledger" not in there.text
            said = re.sub(r'"[0-9a-f.]{64,}"', "", there.text).replace(hidden.id, "n" * 16)
            assert said == re.sub(r'"[0-9a-f.]{64,}"', "", nowhere.text)


async def test_twenty_pages_opened_at_once_do_not_pass_the_limit() -> None:
    scene = furnished(Table())
    events = Events(visibility=scene.visibility, hub=scene.hub, sessions=scene.sessions)

    async with browser(scene) as client:
        session = scene.sessions.find(scene.sessions.unseal(client.cookies[COOKIE]))
        state = {"session": session, "form_token": "t"}
        scope = {"type": "http", "query_string": b"", "headers": [], "state": state}
        opened = await asyncio.gather(
            *(events.stream(Request(scope)) for _ in range(20)), return_exceptions=True
        )

    refused = [o for o in opened if isinstance(o, Rejected)]
    assert len(refused) == 20 - CLIENTS_PER_PERSON_MAX
    assert len(scene.hub) == CLIENTS_PER_PERSON_MAX


async def test_credentials_are_shown_by_a_right_of_their_own() -> None:
    access = Table()
    scene = furnished(access)
    scene.tell(credential("flux-bot", owner="bot", kind=TokenKind.CLASSIC))
    async with browser(scene) as client:
        without = (await client.get("/credentials")).text
        access.credentials = frozenset({"shop"})
        shown = (await client.get("/credentials")).text

    assert "flux-bot" not in without
    assert "Credentials of shop are not shown" in without
    assert re.findall(r'class="count"[^>]*>([^<]*)</span></a>', without)[0] == "?"
    assert re.findall(r'class="count"[^>]*>([^<]*)</span></a>', shown)[0] == "1"
    assert "flux-bot" in shown


async def test_nobody_is_told_that_there_are_no_credentials_who_may_not_see_them() -> None:
    access = Table()
    async with browser(furnished(access)) as client:
        without = (await client.get("/credentials")).text
        access.credentials = frozenset({"shop"})
        shown = (await client.get("/credentials")).text

    assert "Credentials of shop are not shown" in without
    assert "No Pipeline names a stored credential" not in without
    assert "Nobody has delegated" not in without
    assert "No Pipeline names a stored credential" in shown


async def test_nothing_is_shown_while_nobody_says_what_one_may_see() -> None:
    access = Table()
    async with browser(furnished(access)) as client:
        access.away = True
        answers = [await client.get(p) for p in ("/", "/record", "/events", "/p/shop/checkout")]
        working = await client.get("/help")

    assert {a.status_code for a in answers} == {503}
    assert not any("checkout" in a.text for a in answers)
    assert working.status_code == 200


async def test_open_page_loses_what_its_person_lost() -> None:
    access = Table()
    scene = furnished(access)
    view = View(pipeline=PipelineKey("shop", "checkout"))
    client = Client(
        view=view, person=ADA, audience=access.audience(ADA), session_id="s", form_token="t"
    )
    scene.hub.join(client, since=scene.projection.position)

    await recheck(scene.visibility, scene.hub)
    quiet = client.queue.empty()
    access.promoted = frozenset()
    await recheck(scene.visibility, scene.hub)
    without = client.queue.get_nowait()
    access.seen = frozenset()
    await recheck(scene.visibility, scene.hub)

    assert quiet
    assert b"Promote 6.9.0" not in without
    assert b"event: rights-changed" in client.queue.get_nowait()


async def test_stream_of_one_pipeline_tells_nothing_of_a_promotion_of_another() -> None:
    scene = furnished(Table())
    hidden = HIDDEN.promotion("staging", "6.9.0", current="6.8.4")
    view = View(
        pipeline=PipelineKey("shop", "checkout"), environment="prod", promotion_id=hidden.id
    )
    client = Client(view=view, person=ADA, audience="", session_id="s", form_token="t")

    scene.hub.join(client, since=None)

    assert b"ledger" not in client.queue.get_nowait()


async def test_person_and_account_at_the_forge_are_shown_together() -> None:
    scene = Scene()
    story = CHECKOUT.promotion("prod", "6.9.0", current="6.8.4")
    scene.tell(
        CHECKOUT.observed(
            CHECKOUT.environment("staging", "6.9.0", gate=None),
            CHECKOUT.environment("prod", "6.8.4"),
        ),
        story.requested,
        story.begun(ADA),
        story.granted(ADA, ADA_THERE),
    )

    async with browser(scene) as client:
        pages = [
            (await client.get(path)).text
            for path in (f"/promotions/{story.id}", "/p/shop/checkout", "/record")
        ]

    for page in pages:
        assert ADA.name in page
        assert ADA_THERE.login in page
