"""Pull requests that outlive their environment or their Pipeline, which people are told of."""

import pytest
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene
from unit.gateway.stories import Pipeline

from countersign.contracts.messages import ForgeKind, PipelineDeleted
from countersign.gateway.model import PipelineKey
from countersign.gateway.text import addresses

SAID = "#41 is overtaken and still open"


@pytest.mark.parametrize("gone", ["environment", "pipeline"])
async def test_page_says_so_until_the_pull_request_ends(gone: str) -> None:
    scene, checkout = Scene(), Pipeline("checkout")
    story = checkout.promotion("test", "6.9.0")
    renamed = checkout.observed(
        checkout.environment("dev", "6.9.0", gate=None), checkout.environment("qa", "6.8.4")
    )
    scene.tell(renamed, *story.to_open(41), story.superseded())
    if gone == "pipeline":
        scene.tell(PipelineDeleted(pipeline=checkout.ref))

    async with browser(scene) as client:
        open_still = (await client.get(addresses.promotion(story.id))).text
        scene.tell(story.closed(41))
        ended = (await client.get(addresses.promotion(story.id))).text

    assert SAID in open_still
    assert "/pull/41" in open_still
    assert SAID not in ended


async def test_pipeline_shows_promotions_into_an_environment_that_was_renamed() -> None:
    scene, checkout = Scene(), Pipeline("checkout")
    story = checkout.promotion("test", "6.9.0")
    scene.tell(
        checkout.observed(
            checkout.environment("dev", "6.9.0", gate=None), checkout.environment("qa", "6.8.4")
        ),
        *story.to_open(41),
        story.superseded(),
    )

    async with browser(scene) as client:
        page = (await client.get(addresses.pipeline(PipelineKey("shop", "checkout")))).text

    assert addresses.promotion(story.id) in page
    assert "/pull/41" in page


@pytest.mark.parametrize("kind", [ForgeKind.GITLAB, ForgeKind.AZURE_DEVOPS], ids=lambda k: k.name)
async def test_pages_call_a_pull_request_as_its_forge_does(kind: ForgeKind) -> None:
    """At Azure DevOps `#41` would be a work item."""
    scene, checkout = Scene(), Pipeline("checkout")
    checkout.to = checkout.to.model_copy(update={"kind": kind})
    story = checkout.promotion("prod", "6.9.0")
    scene.tell(
        checkout.observed(
            checkout.environment("dev", "6.9.0", gate=None), checkout.environment("prod", "6.8.4")
        ),
        *story.to_open(41),
        story.superseded(),
    )

    async with browser(scene) as client:
        paths = (
            addresses.promotion(story.id),
            addresses.pipeline(PipelineKey("shop", "checkout")),
            "/p/shop/checkout/prod",
            "/record",
        )
        pages = [(await client.get(path)).text for path in paths]

    assert all("!41" in page for page in pages)
    assert not any("#41" in page for page in pages)
