"""Makes the pictures of the README from a running demonstration.

    .venv/bin/python docs/images/make.py

Needs Chromium (`apt-get install --no-install-recommends chromium`). It walks the demonstration
until its board shows a gate in each of the usual states.
"""
# ruff: noqa: INP001 - a command, not a package

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Page, async_playwright, expect

from countersign.local.demo.layout import Layout, Ports, choose_ports, free_port
from countersign.local.demo.running import only_one, running

HERE: Final = Path(__file__).parent
WIDTH: Final = 1280
BOARD: Final = {"width": WIDTH, "height": 600}
SHEET: Final = {"width": 800, "height": 640}
PICTURE_BYTES_MAX: Final = 150_000
PATIENCE_MS: Final = 30_000


async def main() -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("there is no chromium; apt-get install --no-install-recommends chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with tempfile.TemporaryDirectory() as directory:
        layout = Layout(Path(directory))
        with only_one(layout):
            ports = choose_ports(layout, gateway=free_port())
            async with running(layout, ports), async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=program, args=["--no-sandbox", "--disable-gpu"]
                )
                await take(await browser.new_page(viewport=BOARD, color_scheme="light"), ports)
                await browser.close()


async def take(page: Page, ports: Ports) -> None:
    await page.goto(f"{ports.gateway_url}/sign-in")
    await page.get_by_role("button", name="Ada Lovelace").click()
    checkout, search, catalog = (
        page.get_by_role("article", name=f"shop/{name}")
        for name in ("checkout", "search", "catalog")
    )
    await expect(search.locator("li.between").nth(1)).to_contain_text("blocked")
    await expect(catalog).to_contain_text("in pull request")
    await checkout.locator("[data-promote]").click()
    await page.set_viewport_size(SHEET)
    await picture(page, "promote.png")
    await page.set_viewport_size(BOARD)
    await promote(page)
    await page.goto(ports.gateway_url)
    await expect(checkout.locator("li.between").nth(1)).to_contain_text("waiting")
    await picture(page, "board.png")


async def promote(page: Page) -> None:
    """From the consent sheet to the merged pull request."""
    await page.get_by_role("button", name="Continue to").click()
    await page.get_by_role("radio", name="Ada Lovelace").check()
    await page.get_by_label("Password").fill("demo")
    await page.locator("main").get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Authorize").click()
    await page.get_by_role("link", name="Open pull request").click()
    await page.get_by_role("button", name="Merge pull request").click()
    await expect(page.locator("main")).to_contain_text("merged by")


async def picture(page: Page, name: str) -> None:
    # The fade of what changed is over by then.
    await page.wait_for_timeout(500)
    size = len(await page.screenshot(path=HERE / name))
    sys.stdout.write(f"{HERE / name}: {size} bytes\n")
    if size > PICTURE_BYTES_MAX:
        sys.exit(f"{name} is larger than {PICTURE_BYTES_MAX} bytes")


if __name__ == "__main__":
    asyncio.run(main())
