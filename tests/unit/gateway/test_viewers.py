"""Links to a team's dashboards, and lines for a terminal."""

import pytest
from unit.gateway.browsing import browser
from unit.gateway.doubles import FORGE, Scene
from unit.gateway.gallery import rich_board
from unit.gateway.stories import Pipeline

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ChangeKind, GateState, ObjectRef, StatedChange
from countersign.gateway.refusals import Refusal
from countersign.gateway.text.commands import look_lines
from countersign.gateway.text.viewers import parse_viewers

HELM = ObjectRef(api_version="helm.toolkit.fluxcd.io/v2", kind="HelmRelease", name="podinfo")
TEMPO = "https://tempo.example/trace/{trace_id}"
HEADLAMP = "Head_lamp=https://lamp.example/c/{cluster}/{namespace}/{resource}/{name}"


def test_names_fill_a_template_and_cannot_leave_their_place() -> None:
    viewers = parse_viewers(trace="", objects=HEADLAMP)
    hostile = HELM.model_copy(update={"name": "../../x?y#z"})

    (link,) = viewers.objects(hostile, cluster="eu/1", namespace="shop")

    assert link.label == "Head lamp"
    assert link.href == "https://lamp.example/c/eu%2F1/shop/helmreleases/..%2F..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    ("trace", "objects"),
    [
        ("javascript:alert({trace_id})", ""),
        ("https://tempo.example/{span}", ""),
        ("", "https://lamp.example/{name}"),
        ("", "Lamp=https://lamp.example/{password}"),
        ("", "Lamp=ftp://lamp.example/{name}"),
        ("", " ".join([HEADLAMP] * 6)),
    ],
)
def test_template_that_is_none_is_refused_at_start(trace: str, objects: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_viewers(trace=trace, objects=objects)

    assert refused.value.reason is Refusal.VIEWER_LINK


def test_trace_is_linked_only_where_there_is_one_and_a_viewer() -> None:
    assert (
        parse_viewers(trace=TEMPO, objects="").trace("4bf9") == "https://tempo.example/trace/4bf9"
    )
    assert parse_viewers(trace=TEMPO, objects="").trace("") == ""
    assert parse_viewers(trace="", objects="").trace("4bf9") == ""


def test_lines_for_a_terminal_name_the_object_and_quote_what_must_be() -> None:
    other = ObjectRef(api_version="apps/v1", kind="Deployment", name="a;rm -rf b")

    assert look_lines(HELM, namespace="prod") == (
        "kubectl -n prod describe helmrelease.helm.toolkit.fluxcd.io/podinfo",
        "flux -n prod get helmreleases podinfo",
    )
    assert look_lines(other, namespace="prod") == (
        "kubectl -n prod describe 'deployment.apps/a;rm -rf b'",
    )


async def test_pipeline_page_gives_lines_to_copy_dates_and_who_merged() -> None:
    scene = Scene()
    rich_board(scene)

    async with browser(scene) as client:
        html = (await client.get("/p/shop/checkout")).text
        promotion = next(iter(scene.projection.timelines))
        gate = (await client.get(f"/promotions/{promotion}")).text

    line = "kubectl -n prod describe helmrelease.helm.toolkit.fluxcd.io/podinfo"
    assert f'data-copy="{line}"' in html
    assert "2026-11-14 14:02 UTC" in html
    assert "merged by ada-l" in html
    assert "9b1f" * 16 in gate
    assert "2026-11-14 14:02 UTC" in gate


async def test_help_is_linked_from_every_page_and_explains_every_state() -> None:
    async with browser(Scene()) as client:
        board, page = (await client.get("/")).text, (await client.get("/help")).text

    assert 'href="/help"' in board
    assert "data-keys" in page
    assert page.count("<dt>") > 19


async def test_sheet_gate_and_api_link_what_changes_between_two_commits() -> None:
    scene, website = Scene(), Pipeline("website", kind="Kustomization")
    story = website.promotion("prod", f"main@sha1:{'b' * 40}", current=f"main@sha1:{'a' * 40}")
    purl = f"pkg:generic/website@1?vcs_url=git%2B{FORGE}/acme/website%40{'b' * 40}"
    ref = story.requested.promotion.model_copy(update={"purl": purl})
    scene.tell(
        website.observed(
            website.environment("staging", f"main@sha1:{'b' * 40}", gate=None),
            website.environment("prod", f"main@sha1:{'a' * 40}", gate=GateState.PENDING),
        ),
        story.requested.model_copy(update={"promotion": ref}),
    )

    async with browser(scene) as client:
        paths = ("/p/shop/website/prod/promote", "/p/shop/website/prod")
        pages = [(await client.get(path)).text for path in paths]
        told = (await client.get(f"/api/v1/promotions/{story.id}")).json()

    page = f"{FORGE}/acme/website/compare/{'a' * 40}...{'b' * 40}"
    assert all(f'href="{page}"' in html for html in pages)
    assert told["comparison"] == page


@pytest.mark.parametrize(
    ("page", "linked"),
    [(f"{FORGE}/acme/checkout", True), ("https://elsewhere.example/acme/checkout", False)],
    ids=["listed", "elsewhere"],
)
async def test_source_that_an_artifact_names_is_shown_and_only_linked_at_a_listed_forge(
    page: str, *, linked: bool
) -> None:
    scene, checkout = Scene(), Pipeline("checkout")
    story = checkout.promotion("prod", "6.9.0", current="6.8.4")
    scene.tell(
        checkout.observed(
            checkout.environment("staging", "6.9.0", gate=None),
            checkout.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        story.requested.model_copy(update={"source_page": page}),
    )

    async with browser(scene) as client:
        for path in ("/p/shop/checkout/prod/promote", "/p/shop/checkout/prod"):
            html = (await client.get(path)).text
            assert page in html
            assert (f'href="{page}"' in html) == linked


async def test_changes_that_an_artifact_tells_are_on_sheet_gate_and_api() -> None:
    scene, checkout = Scene(), Pipeline("checkout")
    story = checkout.promotion("prod", "6.9.0", current="6.8.4")
    stated = (
        StatedChange(
            kind=ChangeKind.SECURITY,
            description="Update <Go>",
            page=f"{FORGE}/acme/checkout/pulls/7",
        ),
        StatedChange(description="Tidy up", page="https://elsewhere.example/7"),
    )
    scene.tell(
        checkout.observed(
            checkout.environment("staging", "6.9.0", gate=None),
            checkout.environment("prod", "6.8.4", gate=GateState.PENDING),
        ),
        story.requested.model_copy(update={"stated_changes": stated}),
    )

    async with browser(scene) as client:
        paths = ("/p/shop/checkout/prod/promote", "/p/shop/checkout/prod")
        pages = [(await client.get(path)).text for path in paths]
        told = (await client.get(f"/api/v1/promotions/{story.id}")).json()

    for html in pages:
        assert "<strong>security</strong> <bdi>Update &lt;Go&gt;</bdi>" in html
        assert f'href="{FORGE}/acme/checkout/pulls/7"' in html
        assert "Tidy up" in html
        assert "elsewhere.example" not in html
    assert [c["kind"] for c in told["statedChanges"]] == ["security", ""]


async def test_gate_at_rest_says_what_came_last_by_whom_and_with_what() -> None:
    """Also who follows the link of a pull request that was merged long ago finds it."""
    scene, checkout = Scene(), Pipeline("checkout")
    story = checkout.promotion("prod", "6.9.0", current="6.8.4")
    scene.tell(
        checkout.observed(
            checkout.environment("staging", "6.9.0", gate=None),
            checkout.environment("prod", "6.9.0"),
        ),
        *story.to_open(41),
        story.merged(41),
        story.completed(),
    )

    async with browser(scene) as client:
        html = (await client.get("/p/shop/checkout/prod")).text
        first = (await client.get("/p/shop/checkout/staging")).text

    last = html[html.index("Last promotion") :]
    for words in ("6.8.4", "6.9.0", "completed", "Grace Hopper", "own token", "merged by ada-l"):
        assert words in last
    assert f'href="/promotions/{story.id}"' in last
    assert 'href="/p/shop/checkout/prod/history"' in last
    assert "Last promotion" not in first
