"""The consent sheet says what will happen, and nothing on it can deceive."""

import re

import pytest
from doubles.extremes import example
from unit.gateway.browsing import browser, form_token
from unit.gateway.doubles import FORGE, FORGES, Scene
from unit.gateway.stories import Pipeline

from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import (
    ApproveRequest,
    AutoMerge,
    BeginRequest,
    CredentialMode,
    EnvironmentCondition,
    EnvironmentObserved,
    ForgeKind,
    Gate,
    GateState,
    ObjectRef,
    PipelineObserved,
    PromotionRequested,
)
from countersign.dialects.kinds import KINDS
from countersign.gateway.text import lettering
from countersign.gateway.view.consents import delegation_at, obstacle, reach_at

OVERRIDE, JOINER = "\u202e", "\u200b"
BEGIN = "Continue to GitHub as yourself"


async def sheet(scene: Scene, pipeline: Pipeline) -> str:
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4")
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        story.requested,
    )
    async with browser(scene) as client:
        return (await client.get("/p/shop/checkout/prod/promote")).text


@pytest.mark.parametrize("field", ["base_branch", "path"])
@pytest.mark.parametrize("character", [OVERRIDE, JOINER, "\u2066", "\x1b", "\u00ad", "\u3164"])
async def test_place_with_a_hidden_character_is_shown_escaped_and_not_offered(
    field: str, character: str
) -> None:
    pipeline = Pipeline("checkout")
    pipeline.to = pipeline.to.model_copy(update={field: f"ma{character}in"})

    html = await sheet(Scene(), pipeline)

    assert character not in html
    assert f"<bdi>ma⟨U+{ord(character):04X}⟩in</bdi>" in html
    assert "contains hidden characters" in html
    assert BEGIN not in html


async def test_letter_that_looks_like_another_is_named() -> None:
    pipeline = Pipeline("checkout")
    pipeline.to = pipeline.to.model_copy(update={"base_branch": "m\u0430in"})

    html = await sheet(Scene(), pipeline)

    assert "U+0430 CYRILLIC SMALL LETTER A" in html
    assert BEGIN in html


async def test_repository_at_a_forge_that_is_not_listed_is_not_linked_and_has_its_host() -> None:
    pipeline = Pipeline("checkout")
    pipeline.to = pipeline.to.model_copy(update={"origin": "https://forge.example"})
    scene = Scene()

    html = await sheet(scene, pipeline)
    async with browser(scene) as client:
        gate = (await client.get("/p/shop/checkout/prod")).text

    for page in (html, gate):
        assert "forge.example" in page
        assert 'href="https://forge.example' not in page
    assert BEGIN not in html


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("main", 0),
        ("Grüße", 0),
        ("главная", 0),
        ("日本語", 0),
        ("m\u0430in", 1),
        ("\u0430\u0441\u0435", 3),
    ],
    ids=["latin", "accents", "one script", "other script", "mixed", "twins"],
)
def test_letters_that_look_alike_are_found_where_they_deceive(text: str, found: int) -> None:
    assert len(lettering.alike(text)) == found


def test_text_without_hidden_characters_is_shown_as_it_is() -> None:
    assert lettering.visible("a\tb\nc é 日本 \U0001f600") == "a\tb\nc é 日本 \U0001f600"


def entry(kind: ForgeKind, **more: str) -> Forge:
    return Forge.model_validate(
        {
            "name": "Forge",
            "kind": kind.name.lower().replace("_", "-"),
            "origin": "https://forge.example",
            "clientId": "c",
            **more,
        }
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_reach_of_a_token_is_said_as_the_kind_of_forge_gives_it(kind: ForgeKind) -> None:
    told = delegation_at(entry(kind, broadTokens="accept"))

    assert ("this repository only" in told.reach) == (kind is ForgeKind.GITHUB)


def test_accepting_broad_tokens_changes_nothing_where_tokens_are_narrow() -> None:
    """At GitHub the sheet said that a token could do everything, which is untrue."""
    plain, accepted = (
        delegation_at(entry(ForgeKind.GITHUB, broadTokens=b)) for b in ("refuse", "accept")
    )

    assert plain == accepted


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_token_is_only_offered_where_somebody_can_delegate_one(kind: ForgeKind) -> None:
    forge, wanted = entry(kind), KINDS[kind].capabilities.wants_acceptance

    assert (delegation_at(forge).refusal == "") == (not wanted)


async def test_forge_without_an_application_says_so_instead_of_a_dead_button() -> None:
    forge = FORGES.forges[0].model_copy(update={"client_id": ""})

    html = await sheet(Scene(forges=ForgeList(forges=(forge,))), Pipeline("checkout"))

    assert "Nobody can sign in at GitHub yet" in html
    assert BEGIN not in html
    assert FORGE in Scene().links.sign_in_origins


@pytest.mark.parametrize(
    ("condition", "runs", "blocked_for", "named"),
    [
        (EnvironmentCondition.HEALTHY, "6.9.1", None, ""),
        (EnvironmentCondition.FAILED, "6.9.1", None, "staging"),
        (EnvironmentCondition.HEALTHY, "6.9.2", None, "staging"),
        (EnvironmentCondition.HEALTHY, "6.9.1", "this", "prod"),
        (EnvironmentCondition.HEALTHY, "6.9.1", "", "prod"),
        (EnvironmentCondition.HEALTHY, "6.9.1", "another", ""),
    ],
)
def test_environment_is_named_where_something_speaks_against_promoting(
    condition: EnvironmentCondition, runs: str, blocked_for: str | None, named: str
) -> None:
    request = example(PromotionRequested)
    below = EnvironmentObserved(
        name="staging",
        condition=condition,
        content=request.content.model_copy(update={"identity": runs}),
    )
    ids = {"this": request.promotion.promotion_id}
    gate = Gate(
        state=GateState.PENDING if blocked_for is None else GateState.BLOCKED,
        promotion_id=ids.get(blocked_for or "", blocked_for or ""),
    )
    here = EnvironmentObserved(name=request.promotion.environment, gate=gate)
    observed = PipelineObserved(
        pipeline=request.promotion.pipeline,
        app=ObjectRef(kind="HelmRelease", name="x"),
        environments=(below, here),
    )
    wanted = request.model_copy(
        update={"content": request.content.model_copy(update={"identity": "6.9.1"})}
    )

    said = obstacle(observed, wanted)

    assert (named in said) if named else said == ""
    assert obstacle(None, wanted) == ""


@pytest.mark.parametrize("verb", ["promote", "approve"])
async def test_blocked_gate_leads_to_a_box_that_confirms_it(verb: str) -> None:
    """A fix could not go out while prod hung in an upgrade: approval wanted a word not offered."""
    scene = Scene()
    pipeline = Pipeline("checkout", mode=CredentialMode.STORED)
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4", secret="bot")
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment(
                "prod",
                "6.8.4",
                gate=GateState.BLOCKED,
                gate_message="prod hangs",
                promotion_id=story.id,
            ),
        ),
        story.requested,
    )

    async with browser(scene) as client:
        gate = (await client.get("/p/shop/checkout/prod")).text
        page = (await client.get("/p/shop/checkout/prod/promote")).text
        data = {
            "form_token": form_token(page),
            "promotion_id": story.id,
            "despite_blocked": "yes",
        }
        await client.post(f"/p/shop/checkout/prod/{verb}", data=data)

    assert "/p/shop/checkout/prod/promote" in gate
    assert 'name="despite_blocked"' in page
    asked = scene.requests.asked[-1][1]
    assert isinstance(asked, BeginRequest | ApproveRequest)
    assert asked.despite_blocked


@pytest.mark.parametrize("wanted", [True, False])
async def test_reason_is_asked_for_with_each_decision_where_the_pipeline_wants_one(
    *, wanted: bool
) -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    requested = pipeline.promotion("prod", "6.9.0", current="6.8.4").requested
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        requested.model_copy(update={"reason_required": wanted}),
    )

    async with browser(scene) as client:
        html = (await client.get("/p/shop/checkout/prod/promote")).text

    places = re.findall(r'<textarea [^>]*name="reason"[^>]*>', html)
    assert [" required" in place for place in places] == ([True, True] if wanted else [False])


async def test_sheet_says_how_the_pull_request_is_marked_and_who_merges_it() -> None:
    marks = {"labels": ["promotion"], "autoMerge": True}
    entry = FORGES.forges[0].model_dump(by_alias=True) | {"pullRequests": marks}
    plain = Scene()
    marked = Scene(forges=ForgeList.model_validate({"forges": [entry]}))

    before = await sheet(plain, Pipeline("checkout"))
    after = await sheet(marked, Pipeline("checkout"))

    words = "GitHub merges it by itself once its checks pass"
    assert words not in before
    assert words in after
    assert "labelled <bdi>promotion</bdi>" in after


@pytest.mark.parametrize(
    ("kind", "labels", "reads"),
    [
        ("gitea", ["promotion"], True),
        ("forgejo", ["promotion"], True),
        ("gitea", [], False),
        ("github", ["promotion"], False),
    ],
)
def test_sheet_says_that_a_token_reads_issues_where_labels_take_that(
    kind: str, labels: list[str], *, reads: bool
) -> None:
    names = {"name": "Ours", "kind": kind, "origin": "https://git.example"}
    forge = Forge.model_validate({**names, "pullRequests": {"labels": labels}})

    assert ("It can read issues there too" in reach_at(forge)) is reads


@pytest.mark.parametrize(
    ("rule", "asked", "told"),
    [
        ("preset", AutoMerge.UNSPECIFIED, "merges"),
        ("preset", AutoMerge.UNWANTED, ""),
        ("allowed", AutoMerge.WANTED, "merges"),
        ("allowed", AutoMerge.UNSPECIFIED, ""),
        ("never", AutoMerge.WANTED, "not allowed"),
        ("never", AutoMerge.UNSPECIFIED, ""),
    ],
)
async def test_sheet_says_who_merges_it_by_the_list_and_the_pipeline(
    rule: str, asked: AutoMerge, told: str
) -> None:
    entry = FORGES.forges[0].model_dump(by_alias=True) | {"pullRequests": {"autoMerge": rule}}
    scene = Scene(forges=ForgeList.model_validate({"forges": [entry]}))
    pipeline = Pipeline("checkout")
    requested = pipeline.promotion("prod", "6.9.0", current="6.8.4").requested
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        requested.model_copy(update={"auto_merge": asked}),
    )

    async with browser(scene) as client:
        html = (await client.get("/p/shop/checkout/prod/promote")).text

    sentences = {
        "merges": "GitHub merges it by itself once its checks pass",
        "not allowed": "which the forge list does not allow: a person merges it",
    }
    assert {name for name, words in sentences.items() if words in html} == {told} - {""}
