"""What a person meets while looking: keys, a bus that stands still, and who cannot see well."""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import axe
from browser.visiting import REFUSED, Visit, runs, track, visit
from e2e.systems import bus_pid
from playwright.async_api import Route, expect

from countersign.local.demo.manifests import NEW, OLD
from countersign.local.demo.running import Running
from countersign.local.demo.walk.releasing import release

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.timeout(240),
]

LATE_S = 0.3
# It takes three to four seconds, where the machine has nothing else to do.
NOTICED_MS = 20_000
# The gateway tries again each half second, each try may hang for five.
RECOVERED_MS = 30_000


async def test_keys_move_search_open_promote_and_explain(started: Running) -> None:
    async with visit(started.ports) as ada:
        await ada.sign_in("ada")
        page = ada.page
        keyboard = page.keyboard
        links = page.locator(".track-link")
        await expect(track(page, "keys")).to_contain_text("waiting")

        await keyboard.press("/")
        search = page.get_by_role("searchbox")
        await expect(search).to_be_focused()
        await keyboard.type("jk")
        await expect(search).to_have_value("jk")
        await keyboard.press("Escape")
        await expect(search).not_to_be_focused()

        await keyboard.press("j")
        await expect(links.nth(0)).to_be_focused()
        await keyboard.press("j")
        await expect(links.nth(1)).to_be_focused()
        await keyboard.press("k")
        await expect(links.nth(0)).to_be_focused()

        await keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        await keyboard.press("Escape")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()

        await track(page, "keys").locator(".track-link").focus()
        await keyboard.press("p")
        await expect(page).to_have_url(re.compile("/p/shop/keys/prod/promote$"))
        await page.go_back()
        await track(page, "keys").locator(".track-link").focus()
        await keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("/p/shop/keys$"))


async def test_page_follows_changes_though_a_script_of_it_comes_late(started: Running) -> None:
    async with visit(started.ports) as ada:
        await ada.sign_in("ada")
        page = await ada.another_page()

        async def late(route: Route) -> None:
            await asyncio.sleep(LATE_S)
            await route.continue_()

        await page.route("**/hx-sse*", late)
        async with page.expect_request("**/events?*"):
            await page.goto(f"{started.ports.gateway_url}/")


async def test_stopped_bus_makes_the_page_say_how_old_it_is(started: Running) -> None:
    async with visit(started.ports) as ada:
        await ada.sign_in("ada")
        banner = ada.page.locator("#banner")
        board = f"{started.ports.gateway_url}/"
        await expect(runs(ada.page, "checkout", "dev")).to_have_text(NEW)
        await expect(banner).to_be_empty()
        with standing_still(started):
            await expect(banner).to_contain_text("cannot be reached, for", timeout=NOTICED_MS)
            await expect(banner).to_contain_text("What you see is from before that")
            await expect(banner.locator("time")).to_have_text(re.compile(r"^\d+ s|min$"))
            await expect(ada.page.locator("main")).to_have_css("filter", "grayscale(1)")
            fresh = await ada.another_page()
            await fresh.goto(board)
            await expect(fresh.locator("#banner")).to_contain_text("cannot be reached, for")
            await expect(runs(fresh, "checkout", "dev")).to_have_text(NEW)
        for page in (ada.page, fresh):
            await expect(page.locator("#banner")).to_be_empty(timeout=RECOVERED_MS)

        newer = release(started.layout, "checkout")
        for page in (ada.page, fresh):
            await expect(runs(page, "checkout", "dev")).to_have_text(newer, timeout=RECOVERED_MS)
        assert ada.loaded.count(board) == 2, "a page was loaded again"


async def test_page_without_scripts_says_that_the_bus_hangs_and_does_not_hang_too(
    started: Running,
) -> None:
    async with visit(started.ports, javascript=False) as ada:
        await ada.sign_in("ada")
        page, banner = ada.page, ada.page.locator("#banner")
        await expect(runs(page, "checkout", "dev")).to_have_text(re.compile(r"6\.9\."))
        with standing_still(started):
            async with asyncio.timeout(NOTICED_MS / 1000):
                while not await banner.inner_text():
                    await asyncio.sleep(LATE_S)
                    await page.reload()
            await expect(banner).to_contain_text("cannot be reached, for")
            await expect(banner).to_contain_text("Actions wait")
            # Old content is dimmed by the style alone, and nothing of it can be pressed.
            await expect(page.locator("main")).to_have_css("filter", "grayscale(1)")
            await page.goto(f"{started.ports.gateway_url}/p/shop/checkout/prod")
            await expect(page.get_by_role("heading", name="checkout to prod")).to_be_visible()
            await expect(page.locator("main")).to_have_css("filter", "grayscale(1)")
            await page.goto(f"{started.ports.gateway_url}/p/shop/stale/prod/promote")
            button = page.get_by_role("button", name="Continue to")
            await expect(button).to_have_css("pointer-events", "none")
            # Who presses it by a key all the same is told, and loses nothing.
            await button.focus()
            await page.keyboard.press("Enter")
            await expect(page.locator("main")).to_contain_text("bus")
            ada.forgive(REFUSED)
        await ada.open("/")
        async with asyncio.timeout(RECOVERED_MS / 1000):
            while await banner.inner_text():
                await asyncio.sleep(LATE_S)
                await page.reload()


@contextmanager
def standing_still(started: Running) -> Iterator[None]:
    """The bus accepts connections and answers nothing: what a partition looks like."""
    pid = bus_pid(started)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_pages_have_no_grave_obstacle_in_light_and_dark(
    started: Running, tmp_path: Path
) -> None:
    script = await axe.fetch(tmp_path)

    async with visit(started.ports) as jean:
        await jean.open("/sign-in")
        found = await obstacles(jean, script)
        await jean.sign_in("jean")
        await expect(runs(jean.page, "first", "prod")).to_have_text(OLD)
        await jean.open("/p/shop/first/prod/promote")
        found += await obstacles(jean, script)
        await jean.continue_to_forge("jean")
        await jean.authorize()
        await expect(jean.page.locator(".now-word")).to_have_text("in pull request")
        found += await obstacles(jean, script)

    assert not found, "\n".join(found)


async def obstacles(person: Visit, script: str) -> list[str]:
    found = []
    for scheme in ("light", "dark"):
        await person.page.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
        )
        found += [
            f"{person.page.url} {scheme}: {violation}"
            for violation in await axe.grave_violations(person.page, script)
        ]
    return found
