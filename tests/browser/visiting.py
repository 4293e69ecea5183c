"""A person with a real browser: Debian's Chromium, driven by Playwright."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import prerequisites
from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    async_playwright,
    expect,
)

from countersign.local.demo.layout import Ports

PATIENCE_MS: Final = 20_000
WIDE: Final = (1280, 800)
_ARGUMENTS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# Chromium says so of each answer with an error status, which some tests provoke.
REFUSED: Final = "Failed to load resource"


@dataclass
class Visit:
    """One person's browser: a page, and everything in it that should not be."""

    context: BrowserContext
    page: Page
    ports: Ports
    complaints: list[str] = field(default_factory=list)
    # Paths of documents that were loaded, to tell a live page from one that was reloaded.
    loaded: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> Page:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._see)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        # Breaches of the content security policy are told here, too.
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console: {message.text}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith((f"{self.ports.gateway_url}/", f"{self.ports.forge_url}/")):
            self.complaints.append(f"request to {request.url}")
        if request.is_navigation_request():
            self.loaded.append(request.url)

    def forgive(self, text: str) -> None:
        """Forget complaints that hold this text."""
        self.complaints = [c for c in self.complaints if text not in c]

    async def another_page(self) -> Page:
        return self.watch(await self.context.new_page())

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.ports.gateway_url}{path}")

    async def sign_in(self, person: str) -> None:
        await self.open("/sign-in")
        await self.page.locator(f'button[name="person"][value="{person}"]').click()
        await expect(self.page).to_have_url(f"{self.ports.gateway_url}/")

    async def continue_to_forge(self, login: str) -> None:
        """From the consent sheet to the question of the forge, past its sign-in page."""
        await self.page.get_by_role("button", name="Continue to").click()
        await expect(self.page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert self.page.url.startswith(f"{self.ports.forge_url}/")
        await self.page.locator(f'input[name="login"][value="{login}"]').check()
        await self.page.get_by_label("Password").fill("demo")
        await self.page.locator("main").get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Authorize")).to_be_visible()

    async def authorize(self) -> None:
        await self.page.get_by_role("button", name="Authorize").click()
        await expect(self.page).to_have_url(re.compile("/promotions/"))

    async def merge(self) -> None:
        """At the forge, on the pull request's page."""
        assert self.page.url.startswith(f"{self.ports.forge_url}/")
        await self.page.get_by_role("button", name="Merge pull request").click()
        await expect(self.page.locator("main")).to_contain_text("merged by")

    async def everything_kept(self) -> str:
        """All that a script of the page, or a look at the browser's disk, could find."""
        kept = [json.dumps(await self.context.storage_state()), await self.page.content()]
        reach = "[{...localStorage}, {...sessionStorage}, document.cookie, location.href]"
        kept.append(json.dumps(await self.page.evaluate(f"() => {reach}")))
        return "\n".join(kept)


def track(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=f"shop/{name}", exact=True)


def runs(page: Page, name: str, environment: str) -> Locator:
    """The revision that the board says an environment runs."""
    cell = track(page, name).locator("li.environment", has_text=environment)
    return cell.locator(".revision")


@asynccontextmanager
async def visit(ports: Ports, *, javascript: bool = True) -> AsyncIterator[Visit]:
    """A fresh browser; at the end nothing in it may have complained."""
    program = prerequisites.path_or_skip(prerequisites.BROWSER)
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*_ARGUMENTS])
        context = await browser.new_context(
            java_script_enabled=javascript,
            viewport={"width": WIDE[0], "height": WIDE[1]},
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        found = Visit(context=context, page=await context.new_page(), ports=ports)
        found.watch(found.page)
        yield found
        await browser.close()
    assert not found.complaints, found.complaints
