"""Debian's Chromium before a gateway without a bus."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import prerequisites
import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright
from unit.gateway.doubles import FORGE, NOW, Scene
from unit.gateway.gallery import rich_board
from unit.gateway.serving import scene_on_a_port, serving

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The forge that pages lead to is nobody's, whatever listens on that port of this machine.
    f"--host-resolver-rules=MAP {FORGE.removeprefix('http://')} ~NOTFOUND",
]
PATIENCE_S = 10
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run on one loop, where one browser lives: each visit has a context of its own."""
    for item in items:
        if item.path.parent == HERE and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    program = prerequisites.path_or_skip(prerequisites.BROWSER)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def scene() -> AsyncIterator[Scene]:
    """A gateway that shows the gallery, on a port."""
    made, listener = scene_on_a_port()
    rich_board(made)
    async with serving(made, listener):
        yield made


@dataclass
class Visit:
    """A page, and what the browser complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@asynccontextmanager
async def visiting(
    chromium: Browser,
    scene: Scene,
    *,
    width: int = 1280,
    scheme: str = "light",
    scripts: bool = True,
    person: str = "Grace Hopper",
) -> AsyncIterator[Visit]:
    context = await chromium.new_context(
        viewport={"width": width, "height": 860},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
        has_touch=width < 500,
    )
    context.set_default_timeout(PATIENCE_S * 1000)
    page = await context.new_page()
    visit = Visit(page)
    page.on("console", visit.hear)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    if scripts:
        await page.clock.install(time=NOW)
    await page.goto(f"{scene.public_url}/sign-in")
    await page.get_by_role("button", name=person).click()
    await page.wait_for_url(f"{scene.public_url}/")
    yield visit
    await context.close()


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await check():  # noqa: ASYNC110 - the browser has no event for it
            await asyncio.sleep(0.02)
