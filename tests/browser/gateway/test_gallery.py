"""What people see, in a real browser: every page at two widths, light and dark, with pictures."""

from pathlib import Path

import pytest
from browser import axe
from browser.gateway.conftest import visiting
from playwright.async_api import Browser, Page, expect
from unit.gateway.doubles import Scene

pytestmark = [pytest.mark.browser]

PAGES = {
    "board": "/",
    "pipeline": "/p/shop/checkout",
    "long-names": "/p/payments/card-gateway-for-the-nordic-and-baltic-region",
    "promote": "/p/shop/checkout/prod/promote",
    "promote-stored": "/p/shop/cart/prod/promote",
    "failed": "/p/shop/search/prod",
    "opening": "/p/payments/fraud/prod",
    "open": "/p/shop/checkout/staging",
    "credentials": "/credentials",
    "credential": "/credentials/shop/flux-bot",
    "access": "/p/shop/cart/prod/access",
    "record": "/record",
    "history": "/p/shop/checkout/prod/history",
    "many": "/p/platform/edge",
    "help": "/help",
    "document": "/help/docs/tokens.md",
    "not-found": "/p/shop/nothing",
}
# Text that is cut where no link leads to the whole of it, for those who cannot hover.
_UNREADABLE = """() => [...document.querySelectorAll('main *')].filter((n) =>
  n.scrollWidth > n.clientWidth + 1 && n.clientWidth > 1
  && getComputedStyle(n).overflowX === 'hidden'
  && !n.closest('a') && !n.querySelector('a')
  && !(n.closest('.track') && n.closest('.track').querySelector('a.track-link')))
  .map((n) => `${n.className} ${n.textContent.trim().slice(0, 40)}`)"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("width", [1280, 390])
async def test_every_page_fits_is_readable_and_asks_no_other_host(
    chromium: Browser, scene: Scene, tmp_path: Path, width: int
) -> None:
    foreign: list[str] = []
    checker = await axe.fetch(tmp_path)

    async with visiting(chromium, scene, width=width) as visit:
        page = visit.page
        page.on(
            "request",
            lambda r: None if r.url.startswith(scene.public_url) else foreign.append(r.url),
        )
        for name, path in PAGES.items():
            await page.goto(scene.public_url + path)
            assert await _overflow(page) <= 0, name
            assert await page.evaluate(_UNREADABLE) == [], name
            await page.screenshot(path=tmp_path / f"{name}-{width}.png")
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                assert await axe.grave_violations(page, checker) == [], name

    expected = ["Failed to load resource: the server responded with a status of 404 (Not Found)"]
    assert visit.complaints == expected
    assert foreign == []
    print(f"pictures are in {tmp_path}")  # noqa: T201


async def _overflow(page: Page) -> int:
    return int(
        await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    )


async def test_track_is_at_most_72_px_high(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        heights = await visit.page.eval_on_selector_all(
            ".track", "nodes => nodes.map(n => n.getBoundingClientRect().height)"
        )

    assert max(heights) <= 73  # 72 and a hairline


async def test_action_of_a_gate_is_as_large_as_a_thumb_on_a_phone(
    chromium: Browser, scene: Scene
) -> None:
    async with visiting(chromium, scene, width=390) as visit:
        box = await visit.page.locator(".track [data-promote]").first.bounding_box()

    assert box is not None
    assert box["height"] >= 44
    assert box["width"] >= 200


@pytest.mark.parametrize("path", ["/record", "/credentials"])
async def test_tables_print_without_what_is_only_for_screens(
    chromium: Browser, scene: Scene, path: str
) -> None:
    async with visiting(chromium, scene) as visit:
        await visit.page.goto(scene.public_url + path)
        await visit.page.emulate_media(media="print")

        assert not await visit.page.locator(".top nav").is_visible()
        assert await visit.page.locator("table").first.is_visible()


async def test_no_gate_is_off_screen_and_no_word_of_a_state_is_cut(
    chromium: Browser, scene: Scene
) -> None:
    async with visiting(chromium, scene) as visit:
        for width in (768, 1024, 1280):
            await visit.page.set_viewport_size({"width": width, "height": 860})
            cut = await visit.page.eval_on_selector_all(".lane > li, .gate-word", _CUT)
            assert cut == [], width


_CUT = """nodes => nodes.filter((n) => n.getBoundingClientRect().right > innerWidth
  || (n.matches('.gate-word') && n.querySelector('.state').getBoundingClientRect().right
      > n.getBoundingClientRect().right + 1))
  .map((n) => n.textContent.trim())"""


async def test_what_is_chosen_shows_without_colours_of_ours(
    chromium: Browser, scene: Scene
) -> None:
    async with visiting(chromium, scene) as visit:
        await visit.page.emulate_media(forced_colors="active")
        styles = await visit.page.eval_on_selector_all(
            "[aria-current]", "nodes => nodes.map(n => getComputedStyle(n).outlineStyle)"
        )

    assert styles
    assert set(styles) == {"solid"}


@pytest.mark.parametrize("width", [1280, 1024, 768, 390])
async def test_no_column_of_a_page_is_cut_off(chromium: Browser, scene: Scene, width: int) -> None:
    """Rows become cards where columns do not fit."""
    async with visiting(chromium, scene, width=width) as visit:
        for path in (
            "/record",
            "/credentials",
            "/p/shop/checkout",
            "/p/shop/checkout/prod/history",
        ):
            await visit.page.goto(scene.public_url + path)
            cut = await visit.page.eval_on_selector_all(
                ".scroll", "tables => tables.map(t => t.scrollWidth - t.clientWidth)"
            )
            assert set(cut) == {0}, path


async def test_moment_of_a_history_is_asked_for_on_a_phone(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene, width=390) as visit:
        page = visit.page
        await page.goto(f"{scene.public_url}/p/shop/checkout/prod/history")
        await page.get_by_label("At").fill("2026-11-20T12:00")
        await page.get_by_role("button", name="Show").click()

        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("main")).to_contain_text("6.8.4")
