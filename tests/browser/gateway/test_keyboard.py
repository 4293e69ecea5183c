"""A security reviewer's way through the pages, with the keys alone."""

import pytest
from browser.gateway.conftest import visiting
from playwright.async_api import Browser, Page
from unit.gateway.doubles import Scene

pytestmark = [pytest.mark.browser]

TABS_MAX = 120
_FOCUSED = """() => {
  const n = document.activeElement;
  // Between the page's end and its beginning the browser's own controls have it.
  if (n === document.body) return ['', 'theirs'];
  const style = getComputedStyle(n.closest('.field') || n);
  const label = n.labels && n.labels[0] ? n.labels[0].textContent : n.textContent;
  return [label.trim().replace(/\\s+/g, ' '), style.outlineStyle];
}"""


async def tab_to(page: Page, words: str) -> None:
    """Press Tab until something that begins so has the focus; each stop on the way is seen."""
    passed = []
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        label, outline = await page.evaluate(_FOCUSED)
        assert outline != "none", label
        if label.startswith(words):
            return
        passed.append(label[:30])
    raise AssertionError(f"nothing that begins with {words!r} among {passed}")


async def follow(page: Page, words: str, *, to: str) -> None:
    await tab_to(page, words)
    await page.keyboard.press("Enter")
    await page.wait_for_url(to)


@pytest.mark.timeout(120)
async def test_reviewer_needs_no_pointer(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await follow(page, "Who can promote to", to="**/access")
        await follow(page, "Credentials", to="**/credentials")
        await follow(page, "Last used", to="**/credentials?sort=used")
        await follow(page, "flux-bot", to="**/credentials/shop/*")
        await tab_to(page, "Check now")
        await page.go_back()
        await tab_to(page, "Search credentials")
        await page.keyboard.type("flux")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/credentials?*q=flux*")
        await follow(page, "Record", to="**/record")
        await tab_to(page, "Environment")
        await page.keyboard.press("p")
        await follow(page, "Show", to="**/record?*environment=prod*")
        await tab_to(page, "Details")
        await page.keyboard.press("Enter")
        assert await page.locator("details[open]").count() == 1
        await tab_to(page, "CSV")
        await page.keyboard.press("?")
        await page.get_by_role("dialog").wait_for()
        await follow(page, "All help", to="**/help")
        await follow(page, "Tokens", to="**/help/docs/tokens.md")

    assert visit.complaints == []


@pytest.mark.timeout(120)
async def test_delegation_is_ended_by_the_keys_alone(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.goto(f"{scene.public_url}/credentials")
        await tab_to(page, "Sign out everywhere")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/sign-in")

    assert [name for name, _ in scene.requests.told] == ["approval.revoke"]
