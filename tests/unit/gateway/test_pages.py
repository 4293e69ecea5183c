"""Pages: what is said, what is escaped, what names may be, what people can do."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.browsing import browser, form_token, token_of
from unit.gateway.doubles import FORGE, Scene
from unit.gateway.gallery import many_pipelines, rich_board
from unit.gateway.stories import ADA, Pipeline, credential, warning

from countersign.contracts.errors import Retryable
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.messages import (
    ApproveRequest,
    AutoMergeAnswer,
    BeginRequest,
    BeginResponse,
    CompleteRequest,
    CompleteResponse,
    CredentialMode,
    Destination,
    Finding,
    ForgeKind,
    ForgeUser,
    GateState,
    LabelsAnswer,
    Person,
    Problem,
    PullRequestRef,
    RejectRequest,
    TokenKind,
)
from countersign.gateway.interfaces import FeedStatus
from countersign.gateway.model import PipelineKey
from countersign.gateway.text import addresses
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.stream_health import FILL_WARNS

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "</title><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "<hx-partial hx-target='#main'>gone</hx-partial>",
    "</pre><iframe src=//evil.example>",
    "a\r\ndata: b\n\nid: 9",
]
PATHS = [
    "/", "/p/{key}", "/p/{key}/prod", "/p/{key}/prod/promote", "/credentials", "/record",
    "/promotions/{id}", "/?q={raw}", "/record?q={raw}", "/sign-in?to={raw}",
]  # fmt: skip


def hostile(scene: Scene, text: str) -> Pipeline:
    """Something hostile in every field that holds text."""
    pipeline = Pipeline(text, app=text, kind=text, mode=CredentialMode.STORED)
    pipeline.to = Destination(
        origin=FORGE, owner=text, repository=text, base_branch=text, path=text
    )
    person, there = Person(id=text, name=text), ForgeUser(id=text, login=text)
    story = pipeline.promotion("prod", text, current=text, secret=text, below=text)
    failed = pipeline.promotion("staging", text + "2", current=text)
    opened = pipeline.promotion(text, text + "3", current=text)
    scene.tell(
        pipeline.observed(
            pipeline.environment("dev", text, gate=None, message=text, clusters=(text,)),
            pipeline.environment("staging", text, gate=GateState.BLOCKED, gate_message=text),
            pipeline.environment(text, text, gate=GateState.NOT_PROMOTABLE, gate_message=text),
            pipeline.environment("prod", text, gate=GateState.PENDING),
            findings=(warning(text, text),),
            manifest=text,
        ),
        story.requested,
        failed.requested,
        failed.begun(by=person),
        failed.granted(by=person, there=there),
        failed.failed(message=text),
        opened.requested,
        opened.begun(by=person),
        opened.granted(by=person, there=there),
        opened.opened(3, author=there),
        opened.updated(text, 3),
        credential(
            text,
            owner=text,
            kind=TokenKind.CLASSIC,
            scopes=(text,),
            findings=(Finding(code=text, message=text),),
            reason=text,
        ),
    )
    return pipeline


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_hostile_text_stays_text_on_every_page(payload: str) -> None:
    scene = Scene(people=(Person(id="grace", name=payload, groups=(payload,)),))
    pipeline = hostile(scene, payload)
    key = addresses.segment("shop") + "/" + addresses.segment(pipeline.ref.name)
    story = pipeline.promotion("prod", payload)

    async with browser(scene) as client:
        for path in PATHS:
            filled = path.format(
                key=key, id=story.id, raw=payload.replace("\n", "%0A").replace("\r", "%0D")
            )
            html = (await client.get(filled)).text

            assert "<script>alert" not in html
            assert "<img src=x" not in html
            assert "<svg/onload" not in html
            assert "<iframe" not in html
            assert "<hx-partial" not in html
            assert 'href="javascript:' not in html.lower()
            assert "49" not in re.sub(r"[0-9a-f]{8,}", "", html) or "{{" not in payload


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_stays_text_in_live_changes(payload: str) -> None:
    scene = Scene()
    pipeline = hostile(scene, payload)
    key = PipelineKey(pipeline.ref.namespace, pipeline.ref.name)
    track = scene.projection.track(key)
    assert track is not None

    html = scene.templates.track(track.key, track, may={"prod"})
    html += scene.templates.pipeline(track, scene.projection.history(track.key), may={"prod"})

    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert html.count("<hx-partial") == html.count("</hx-partial>") <= 4


@given(st.text(min_size=1, max_size=40))
def test_any_name_survives_its_address(name: str) -> None:
    written = addresses.segment(name)

    assert re.fullmatch(r"[A-Za-z0-9_=.-]+", written)
    assert written not in {".", ".."}
    assert addresses.text_of(written) == name.encode("utf-8", "surrogatepass").decode(
        "utf-8", "replace"
    )


@pytest.mark.parametrize("name", ["EU West/1", "..", "a.b", "Größe", "=2F", "promote", "a?b#c"])
async def test_environment_of_any_name_has_its_pages(name: str) -> None:
    scene, pipeline = Scene(), Pipeline("checkout.v2")
    story = pipeline.promotion(name, "6.9.0")
    scene.tell(
        pipeline.observed(
            pipeline.environment("dev", "6.9.0", gate=None),
            pipeline.environment(name, "6.8.4", gate=GateState.PENDING),
        ),
        story.requested,
    )
    track = scene.projection.track(PipelineKey("shop", "checkout.v2"))
    assert track is not None

    async with browser(scene) as client:
        gate = await client.get(addresses.gate(track.key, name))
        sheet = await client.get(addresses.consent(track.key, name))

    assert gate.status_code == sheet.status_code == 200
    assert "Continue to GitHub as yourself" in sheet.text


def test_link_to_a_forge_is_only_built_where_it_is_listed() -> None:
    here = PullRequestRef(
        kind=ForgeKind.GITHUB, origin=FORGE, owner="a", repository="b/../c?", number=7
    )
    elsewhere = here.model_copy(update={"origin": "https://forge.example"})

    links = Scene().links

    assert links.pull_request(here) == f"{FORGE}/a/b%2F..%2Fc%3F/pull/7"
    assert links.pull_request(elsewhere) == ""


async def begun(scene: Scene) -> BeginRequest:
    method, request, _ = scene.requests.asked[-1]
    assert method == "approval.begin"
    assert isinstance(request, BeginRequest)
    return request


async def waiting_scene() -> tuple[Scene, str]:
    scene, pipeline = Scene(), Pipeline("checkout", mode=CredentialMode.STORED)
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4", secret="flux-bot")
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        story.requested,
    )
    return scene, story.id


async def test_consent_sheet_says_beforehand_what_will_happen() -> None:
    scene, _ = await waiting_scene()

    async with browser(scene) as client:
        html = (await client.get("/p/shop/checkout/prod/promote")).text

    said = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert "acme/gitops on branch main" in said
    assert "from 6.8.4 to 6.9.0" in said
    assert "for at most 15 minutes" in said
    assert "revoked after use" in said
    assert "Continue to GitHub as yourself" in said
    assert "Use the stored token of flux-bot instead" in said
    assert "No rule allows" not in said


@pytest.mark.parametrize(
    ("person", "why"), [("grace", "You asked for it"), ("ada", "You have approved it already")]
)
async def test_consent_sheet_says_who_cannot_be_one_of_several_before_they_try(
    person: str, why: str
) -> None:
    scene = Scene()
    pipeline = Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4", approvals=2)
    environments = (pipeline.environment(n, v) for n, v in (("dev", "6.9.0"), ("prod", "6.8.4")))
    scene.tell(pipeline.observed(*environments), story.requested, story.rejected(), story.retried())
    address = "/p/shop/checkout/prod/promote"
    async with browser(scene, person="grace") as client:
        asked = (await client.get(address)).text
    scene.tell(story.begun(by=ADA), story.granted(by=ADA))
    async with browser(scene, person=person) as client:
        then = (await client.get(address)).text

    assert "You asked for it" in asked
    assert why in then
    for page in (asked, then):
        button = page.rpartition("Continue to GitHub")[0].rpartition("<button")[2]
        assert " disabled" in button
        assert f'action="{address}"' not in page


async def test_consent_sheet_warns_of_a_repository_that_no_rule_allows() -> None:
    scene, _ = await waiting_scene()
    timeline = scene.forges.forges[0].model_copy(update={"repositories": {}})
    scene.forges = ForgeList(forges=(timeline,))
    scene.__post_init__()
    pipeline = Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0")
    scene.sequences.clear()
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        story.requested,
    )

    async with browser(scene) as client:
        html = (await client.get("/p/shop/checkout/prod/promote")).text

    assert "No rule allows shop to use this repository" in html


async def test_promote_leads_to_the_forge_with_the_hash_of_the_session() -> None:
    scene, promotion_id = await waiting_scene()

    async with browser(scene) as client:
        page = (await client.get("/p/shop/checkout/prod/promote")).text
        answer = await client.post(
            "/p/shop/checkout/prod/promote",
            data={"form_token": form_token(page), "promotion_id": promotion_id},
        )

    request = await begun(scene)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{FORGE}/login/oauth/authorize")
    assert (request.promotion_id, request.person.id) == (promotion_id, "grace")
    assert re.fullmatch(r"[0-9a-f]{64}", request.session)


async def test_promote_does_not_follow_a_sign_in_at_another_origin() -> None:
    scene, promotion_id = await waiting_scene()
    scene.requests.answers["approval.begin"] = BeginResponse(
        authorize_url=f"{FORGE}.evil.example/login"
    )

    async with browser(scene) as client:
        token = await token_of(client)
        answer = await client.post(
            "/p/shop/checkout/prod/promote",
            data={"form_token": token, "promotion_id": promotion_id},
        )

    assert answer.status_code == 409
    assert "location" not in answer.headers


async def test_approve_uses_the_stored_credential() -> None:
    scene, promotion_id = await waiting_scene()

    async with browser(scene) as client:
        data = {"form_token": await token_of(client), "promotion_id": promotion_id}
        answer = await client.post("/p/shop/checkout/prod/approve", data=data)

    assert answer.headers["location"] == f"/promotions/{promotion_id}"
    assert isinstance(scene.requests.asked[-1][1], ApproveRequest)


async def test_reject_passes_its_reason_on() -> None:
    scene, promotion_id = await waiting_scene()

    async with browser(scene) as client:
        data = {"form_token": await token_of(client), "promotion_id": promotion_id}
        await client.post("/p/shop/checkout/prod/reject", data=data | {"reason": " not today "})

    request = scene.requests.asked[-1][1]
    assert isinstance(request, RejectRequest)
    assert request.reason == "not today"


@pytest.mark.parametrize("verb", ["promote", "approve", "reject", "retry"])
async def test_who_may_only_look_is_told_which_right_is_missing(verb: str) -> None:
    scene, promotion_id = await waiting_scene()

    async with browser(scene, person="alan") as client:
        board = (await client.get("/")).text
        data = {"form_token": await token_of(client), "promotion_id": promotion_id}
        answer = await client.post(f"/p/shop/checkout/prod/{verb}", data=data)

    assert "Promote 6.9.0" not in board
    assert answer.status_code == 403
    assert "“promote” on pipelines in namespace shop" in answer.text
    assert scene.requests.asked == []


async def test_nothing_waits_for_somebody_who_may_only_look() -> None:
    scene, _ = await waiting_scene()

    async with browser(scene, person="alan") as client:
        board = (await client.get("/")).text
        needed = (await client.get("/?show=needs-me")).text
    async with browser(scene) as client:
        other = (await client.get("/")).text

    assert "Nothing is waiting for you." in board
    assert "No track matches." in needed
    assert 'id="count-needs-me">0<' in board
    assert 'id="count-needs-me">1<' in other


@pytest.mark.parametrize(
    ("code", "status"),
    [("not_waiting", 409), ("not_healthy", 409), ("expired", 410), ("brand_new", 409)],
)
async def test_refusal_is_a_page_that_says_what_to_do(code: str, status: int) -> None:
    scene, promotion_id = await waiting_scene()
    problem = Problem(code=code, message="exactly this failed")
    scene.requests.answers["approval.begin"] = BeginResponse(problem=problem)

    async with browser(scene) as client:
        data = {"form_token": await token_of(client), "promotion_id": promotion_id}
        answer = await client.post("/p/shop/checkout/prod/promote", data=data)

    assert answer.status_code == status
    assert "Exactly this failed." in answer.text
    assert 'class="button' in answer.text


async def test_full_stream_is_a_page_that_says_so() -> None:
    scene, promotion_id = await waiting_scene()
    problem = Problem(code="stream_refused", message="maximum bytes exceeded")
    scene.requests.answers["approval.begin"] = BeginResponse(problem=problem)

    async with browser(scene) as client:
        data = {"form_token": await token_of(client), "promotion_id": promotion_id}
        answer = await client.post("/p/shop/checkout/prod/promote", data=data)

    assert answer.status_code == 503
    assert "503 · stream_refused" in answer.text
    assert "it is full" in answer.text
    # What the bus said is for who looks after it.
    assert "maximum bytes" not in answer.text.partition("<details")[0]


async def test_refusal_that_passes_says_after_how_long() -> None:
    scene, promotion_id = await waiting_scene()
    problem = Problem(code="limit", message="ten times", retry_after_s=417)
    scene.requests.answers["approval.begin"] = BeginResponse(problem=problem)

    async with browser(scene) as client:
        data = {"form_token": await token_of(client), "promotion_id": promotion_id}
        answer = await client.post("/p/shop/checkout/prod/promote", data=data)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "417")


async def test_silent_approval_service_is_said_so() -> None:
    scene, promotion_id = await waiting_scene()
    scene.requests.answers["approval.begin"] = Retryable(BusRefusal.NO_RESPONDER, "nobody")

    async with browser(scene) as client:
        data = {"form_token": await token_of(client), "promotion_id": promotion_id}
        answer = await client.post("/p/shop/checkout/prod/promote", data=data)

    assert answer.status_code == 503
    assert "The approval service is not responding" in answer.text


async def test_callback_goes_to_the_replica_that_asked_and_then_to_the_promotion() -> None:
    scene, promotion_id = await waiting_scene()
    ref = scene.projection.timelines[promotion_id].promotion.ref
    scene.requests.answers["approval.complete"] = CompleteResponse(promotion=ref)

    async with browser(scene) as client:
        query = "code=c0de&state=host-1.local.abc&iss=https%3A%2F%2Fforge.example"
        answer = await client.get(f"/oauth/callback/github?{query}")

    method, request, replica = scene.requests.asked[-1]
    assert isinstance(request, CompleteRequest)
    assert (method, replica) == ("approval.complete", "host-1.local")
    assert (request.code, request.iss) == ("c0de", "https://forge.example")
    assert answer.headers["location"] == f"/promotions/{promotion_id}"


@pytest.mark.parametrize("state", ["", "abc", ".abc", "r.", "r." + "x" * 600])
async def test_callback_with_a_state_that_is_none_of_ours_asks_nobody(state: str) -> None:
    scene = Scene()

    async with browser(scene) as client:
        answer = await client.get("/oauth/callback/github", params={"state": state, "code": "c"})

    assert answer.status_code == 400
    assert scene.requests.asked == []


async def test_callback_that_was_refused_offers_the_sheet_again() -> None:
    scene, promotion_id = await waiting_scene()
    ref = scene.projection.timelines[promotion_id].promotion.ref
    problem = Problem(code="denied", message="GitHub answered access_denied")
    scene.requests.answers["approval.complete"] = CompleteResponse(promotion=ref, problem=problem)

    async with browser(scene) as client:
        answer = await client.get("/oauth/callback/github?error=access_denied&state=r.x")

    assert answer.status_code == 403
    assert 'href="/p/shop/checkout/prod/promote"' in answer.text


@pytest.mark.parametrize("code", ["cannot_write", "token_too_strong", "not_waiting", "no_client"])
async def test_callback_whose_refusal_stays_leads_to_the_promotion(code: str) -> None:
    scene, promotion_id = await waiting_scene()
    ref = scene.projection.timelines[promotion_id].promotion.ref
    problem = Problem(code=code, message="no permission to write to 'shop/gitops'")
    scene.requests.answers["approval.complete"] = CompleteResponse(promotion=ref, problem=problem)

    async with browser(scene) as client:
        answer = await client.get("/oauth/callback/github?code=c&state=r.x")

    assert "/promote" not in answer.text
    assert f'<a class="button" href="/promotions/{promotion_id}">' in answer.text


async def test_callback_of_a_promotion_nobody_waits_for_does_not_offer_the_sheet() -> None:
    scene, promotion_id = await waiting_scene()
    ref = scene.projection.timelines[promotion_id].promotion.ref
    scene.tell(Pipeline("checkout").promotion("prod", "6.9.0").superseded())
    problem = Problem(code="denied", message="Grace Hopper declined at GitHub")
    scene.requests.answers["approval.complete"] = CompleteResponse(promotion=ref, problem=problem)

    async with browser(scene) as client:
        answer = await client.get("/oauth/callback/github?error=access_denied&state=r.x")

    assert "/promote" not in answer.text


async def test_credential_names_the_pipelines_that_use_it_in_their_order() -> None:
    scene = Scene()
    rich_board(scene)

    async with browser(scene) as client:
        page = (await client.get("/credentials/shop/flux-bot")).text
        listed = (await client.get("/api/v1/credentials/shop/flux-bot")).json()

    links = [f'href="/p/shop/cart/{name}"' for name in ("staging", "prod")]
    assert page.index(links[0]) < page.index(links[1])
    assert listed["usedBy"] == ["shop/cart/staging", "shop/cart/prod"]


async def test_credential_that_no_pipeline_names_any_more_is_not_listed() -> None:
    scene = Scene()
    scene.tell(
        credential("kept", owner="grace", kind=TokenKind.CLASSIC),
        credential("forgotten", owner="grace", kind=TokenKind.CLASSIC, environments=()),
    )

    async with browser(scene) as client:
        page = (await client.get("/credentials")).text
        listed = (await client.get("/api/v1/credentials")).json()

    assert "forgotten" not in page
    assert [c["secret"] for c in listed["items"]] == ["kept"]


async def test_code_in_a_finding_is_shown_as_code_and_escaped() -> None:
    scene = Scene()
    found = warning("its scope `<b>` is `wide and ` open")
    scene.tell(credential("bot", owner="grace", kind=TokenKind.CLASSIC, findings=(found,)))

    async with browser(scene) as client:
        page = (await client.get("/credentials/shop/bot")).text

    assert "its scope <code>&lt;b&gt;</code> is <code>wide and </code> open" in page


async def test_record_says_decisions_as_people_do() -> None:
    scene = Scene()
    checkout = Pipeline("checkout")
    ended, approved = (checkout.promotion(e, "6.9.0") for e in ("staging", "prod"))
    scene.tell(ended.requested, ended.begun(), ended.expired(), *approved.to_open(41))

    async with browser(scene) as client:
        page = (await client.get("/record")).text
        found = (await client.get("/record?q=approved")).text

    assert ">sign-in ended <" in page
    assert ">approved<" in page
    assert "waiting for approval" in page
    assert "sign-in ended" not in found


async def test_board_pages_by_namespace_and_searches() -> None:
    scene = Scene()
    many_pipelines(scene, count=200)

    async with browser(scene) as client:
        first = (await client.get("/")).text
        second = (await client.get("/?page=2")).text
        found = (await client.get("/?q=service-0123")).text
        beyond = await client.get("/?page=99999")

    assert first.count('<article class="track') == 60
    assert "team-004" in first
    assert 'id="ns-' in second
    assert found.count('<article class="track') == 1
    assert beyond.status_code == 200


async def test_first_start_explains_how_a_pipeline_gets_here() -> None:
    async with browser(Scene()) as client:
        html = (await client.get("/")).text

    assert "kind: Pipeline" in html
    assert "$promotion" in html


async def test_bus_that_was_never_reached_is_a_page_of_its_own() -> None:
    scene = Scene()
    scene.feed.status = FeedStatus(caught_up=False, connected=False)

    async with browser(scene) as client:
        answer = await client.get("/")

    assert answer.status_code == 503
    assert "The bus cannot be reached" in answer.text


async def test_stale_data_are_marked_with_their_age() -> None:
    scene = Scene()
    rich_board(scene)
    scene.feed.status = FeedStatus(caught_up=True, connected=False, lost_at=scene.clock())
    scene.clock.pass_by(minutes=3)

    async with browser(scene) as client:
        html = (await client.get("/")).text

    assert "banner wait lost" in html
    assert ">3 min</time>" in html


@pytest.mark.parametrize(("fullness", "told"), [(FILL_WARNS - 0.01, False), (FILL_WARNS, True)])
async def test_board_says_that_a_stream_fills_well_before_it_is_full(
    fullness: float, *, told: bool
) -> None:
    scene = Scene()
    scene.feed.status = FeedStatus(caught_up=True, connected=True, fullness=fullness)

    async with browser(scene) as client:
        html = (await client.get("/")).text

    assert ("banner wait" in html) == told


async def test_api_says_what_the_pages_say_and_is_described() -> None:
    scene = Scene()
    rich_board(scene)

    async with browser(scene) as client:
        pipelines = (await client.get("/api/v1/pipelines")).json()
        promotions = (await client.get("/api/v1/promotions?state=waiting")).json()
        credentials = (await client.get("/api/v1/credentials")).json()
        record = (await client.get("/api/v1/record")).json()
        described = (await client.get("/api/v1/openapi.json")).json()
        missing = await client.get("/api/v1/promotions/nothing")

    assert pipelines["total"] == 13
    assert {p["state"] for p in promotions["items"]} == {"waiting"}
    assert [c["risk"] for c in credentials["items"]] == ["high", "high", "medium", "low"]
    assert record["total"] == len(record["items"]) > 0
    assert missing.headers["content-type"] == "application/problem+json"
    assert missing.json()["code"] == "unknown_promotion"
    assert described["openapi"] == "3.1.0"
    routes = json.dumps(sorted(described["paths"]))
    assert "/api/v1/promotions/{promotion_id}/begin" in routes


async def test_api_acts_with_the_token_of_the_session() -> None:
    scene, promotion_id = await waiting_scene()

    async with browser(scene) as client:
        token = (await client.get("/api/v1/session")).json()["formToken"]
        headers = {"X-Countersign-Form": token}
        base = f"/api/v1/promotions/{promotion_id}"
        begun_ = (await client.post(f"{base}/begin", headers=headers)).json()
        rejected = await client.post(f"{base}/reject", headers=headers, json={"reason": "no"})
        refused = await client.post(f"{base}/reject", headers=headers, json={"reason": 1})

    assert begun_["authorizeUrl"].startswith(FORGE)
    assert rejected.status_code == 200
    assert refused.status_code == 400


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("verb", ["begin", "approve"])
async def test_program_says_that_it_promotes_where_the_gate_is_blocked(
    verb: str, *, said: bool
) -> None:
    scene, promotion_id = await waiting_scene()

    async with browser(scene) as client:
        token = (await client.get("/api/v1/session")).json()["formToken"]
        await client.post(
            f"/api/v1/promotions/{promotion_id}/{verb}",
            headers={"X-Countersign-Form": token},
            json={"despiteBlocked": said},
        )

    asked = scene.requests.asked[-1][1]
    assert isinstance(asked, BeginRequest | ApproveRequest)
    assert asked.despite_blocked is said


def test_vendored_files_are_what_the_manifest_says() -> None:
    import hashlib  # noqa: PLC0415
    from importlib.resources import files  # noqa: PLC0415

    vendor = files("countersign.gateway") / "static" / "vendor"
    manifest = json.loads((vendor / "manifest.json").read_text())

    for name, told in manifest["files"].items():
        body = (vendor / name).read_bytes()
        assert hashlib.sha256(body).hexdigest() == told["sha256"], name
    assert "Zero-Clause BSD" in (vendor / "htmx.LICENSE.txt").read_text()


def test_page_and_everything_it_loads_weigh_little() -> None:
    static = Scene().static

    assert sum(len(f.compressed) for f in static.by_name.values()) < 40_000


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, ""),
        (
            {"auto_merge": AutoMergeAnswer.ACCEPTED},
            ", to be merged by itself once its checks pass",
        ),
        (
            {"auto_merge": AutoMergeAnswer.REFUSED},
            "; the forge does not merge it by itself, so a person does",
        ),
        ({"labels": LabelsAnswer.GIVEN}, ""),
        (
            {"labels": LabelsAnswer.MISSING},
            "; without those of its labels that the repository does not have",
        ),
    ],
)
async def test_past_of_a_promotion_says_what_the_forge_answered_about_its_marks(
    answer: dict[str, AutoMergeAnswer | LabelsAnswer], words: str
) -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    promotion = pipeline.promotion("prod", "6.9.0", current="6.8.4")
    *before, _, after = promotion.to_open(41)
    opened = promotion.opened(41).model_copy(update=answer)
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        *before,
        opened,
        after,
    )

    async with browser(scene) as client:
        html = (await client.get("/p/shop/checkout")).text

    (said,) = set(re.findall(r"pull request #41 opened([^<]*)", html))
    assert said.strip() == words
