"""How the page behaves: live, by keyboard, without scripts, and when the session ends."""

import asyncio

import pytest
from browser.gateway.conftest import eventually, visiting
from playwright.async_api import Browser, Page, expect
from unit.gateway.doubles import FORGE, NOW, Scene
from unit.gateway.serving import scene_on_a_port, serving
from unit.gateway.stories import ADA, Pipeline

from countersign.contracts.messages import GateState, OpeningStep, RejectRequest

pytestmark = [pytest.mark.browser]


async def connected(scene: Scene) -> None:
    async def one() -> bool:
        return len(scene.hub) > 0

    await eventually(one)


async def test_gate_changes_by_itself_and_nothing_else_does(
    chromium: Browser, scene: Scene
) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await connected(scene)
        track = page.locator(".track", has_text="checkout")
        await page.evaluate("document.querySelectorAll('.track').forEach(t => t.marked = true)")
        await page.locator(".track-link", has_text="checkout").focus()
        story = Pipeline("checkout", app="podinfo").promotion("prod", "6.9.0", current="6.8.4")

        scene.tell(story.begun(), story.granted(), story.opened(99))

        await expect(track).to_contain_text("#99")
        kept = await page.evaluate("[...document.querySelectorAll('.track')].every(t => t.marked)")
        focused = await page.evaluate("document.activeElement.textContent")
        await expect(page.locator("#announcer")).to_contain_text("checkout, prod")
        await expect(page.locator("#count-needs-me")).to_have_text("3")

    assert kept
    assert focused == "checkout"
    assert visit.complaints == []


async def test_new_track_waits_under_a_pill(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        await connected(scene)
        fresh = Pipeline("brand-new")
        scene.tell(fresh.observed(fresh.environment("dev", "1.0.0", gate=None)))

        pill = visit.page.locator(".pill")
        await expect(pill).to_have_text("1 new track · Show")
        assert await visit.page.locator(".track", has_text="brand-new").count() == 0
        await pill.click()
        await expect(visit.page.locator(".track", has_text="brand-new")).to_be_visible()


async def test_gate_says_after_a_while_that_nobody_began(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        story = Pipeline("checkout", app="podinfo").promotion(
            "prod", "7.0.0", current="6.8.4", at=NOW
        )
        scene.tell(story.requested, story.begun(), story.granted())
        await page.goto(f"{scene.public_url}/promotions/{story.id}")
        await connected(scene)
        note = page.locator(".now [data-from]")
        await expect(note).to_be_hidden()

        await page.clock.run_for(120_000)
        await expect(note).to_be_visible()
        scene.tell(story.progressed(OpeningStep.READING))

        await expect(page.locator(".progress .current")).to_have_text("reading files")
        await expect(note).to_have_count(0)

    assert visit.complaints == []


async def test_promotion_page_shows_each_step_and_then_the_pull_request(
    chromium: Browser, scene: Scene
) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.goto(f"{scene.public_url}/p/payments/fraud/prod")
        await expect(page.locator(".progress .current")).to_have_text("editing")
        await connected(scene)
        story = Pipeline("fraud", namespace="payments").promotion("prod", "0.9.12")

        scene.tell(story.opened(7))

        link = page.get_by_role("link", name="Open pull request")
        await expect(link).to_have_attribute("href", f"{FORGE}/acme/gitops/pull/7")

    assert visit.complaints == []


async def test_form_that_arrived_live_still_works(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.goto(f"{scene.public_url}/p/payments/fraud/prod")
        await connected(scene)
        story = Pipeline("fraud", namespace="payments").promotion("prod", "0.9.12")

        scene.tell(story.failed())
        await page.get_by_role("button", name="Try again").click()
        await page.wait_for_url("**/promotions/*")

    assert scene.requests.asked[-1][0] == "approval.retry"


async def test_keys_find_walk_open_and_promote(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.keyboard.press("/")
        await expect(page.locator("#search")).to_be_focused()
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.locator("#help")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await page.keyboard.press("k")
        names = await page.locator(".track-link").all_inner_texts()
        assert await page.evaluate("document.activeElement.textContent") == names[0]
        await page.keyboard.press("p")
        await page.wait_for_url("**/promote")


async def test_essential_actions_work_without_scripts(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene, scripts=False) as visit:
        page = visit.page
        await page.get_by_role("searchbox").fill("cart")
        await page.get_by_role("button", name="Search").click()
        assert await page.locator(".track").count() == 1
        await page.get_by_role("link", name="Promote 2.14.0…").click()
        await page.locator("summary", has_text="Reject 2.14.0").click()
        await page.get_by_label("Reason (optional, shown in the record)").fill("not today")
        await page.get_by_role("button", name="Reject 2.14.0 for prod").click()
        await page.wait_for_url("**/promotions/*")

    request = scene.requests.asked[-1][1]
    assert isinstance(request, RejectRequest)
    assert request.reason == "not today"


async def test_consent_leads_to_the_forge_under_the_policy(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.route(f"{FORGE}/**", lambda route: route.fulfill(body="sign in here"))
        await page.goto(f"{scene.public_url}/p/shop/checkout/prod/promote")
        await page.get_by_role("button", name="Continue to GitHub as yourself").click()
        await page.wait_for_url(f"{FORGE}/login/oauth/authorize*")

    assert visit.complaints == []


async def test_signing_out_in_one_tab_ends_the_stream_of_another(
    chromium: Browser, scene: Scene
) -> None:
    async with visiting(chromium, scene) as visit:
        await connected(scene)
        other = await visit.page.context.new_page()
        await other.goto(f"{scene.public_url}/help")
        await other.get_by_role("button", name="Sign out").click()
        await other.wait_for_url("**/sign-in")

        await expect(visit.page.locator("#banner")).to_contain_text("Your session has ended")

    assert len(scene.hub) == 0


async def test_page_that_lost_its_stream_gets_what_it_missed(
    chromium: Browser, scene: Scene
) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await connected(scene)
        for client in list(scene.hub._clients):
            scene.hub._drop(client)
        story = Pipeline("checkout", app="podinfo").promotion("prod", "6.9.0", current="6.8.4")
        scene.tell(story.rejected("not on Fridays"))
        await _let_time_pass(page)

        await expect(page.locator(".track", has_text="checkout")).to_contain_text("rejected")


async def _let_time_pass(page: Page) -> None:
    """The browser's clock is ours: reconnecting waits on it."""
    for _ in range(4):
        await page.clock.run_for(1_000)
        await asyncio.sleep(0.05)


async def test_who_may_only_look_sees_no_button(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene, person="Alan Turing") as visit:
        assert await visit.page.locator("[data-promote]").count() == 0
        await expect(visit.page.locator(".track", has_text="checkout")).to_contain_text(
            "for somebody who may promote"
        )


async def test_what_is_typed_outlives_what_others_do(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.goto(f"{scene.public_url}/p/shop/checkout/prod")
        await connected(scene)
        await page.locator("#reject summary").click()
        await page.get_by_label("Reason").fill("wait for the fix")
        story = Pipeline("checkout", app="podinfo").promotion("prod", "6.9.0", current="6.8.4")

        scene.tell(story.begun(by=ADA))
        await expect(page.locator(".now-word")).to_have_text("approval under way")
        await expect(page.get_by_label("Reason")).to_be_visible()
        await expect(page.get_by_label("Reason")).to_have_value("wait for the fix")
        await page.reload()
        await expect(page.get_by_label("Reason")).to_have_value("wait for the fix")
        await connected(scene)
        scene.tell(story.granted(by=ADA), story.opened(99))
        await expect(page.locator("#kept blockquote")).to_have_text("wait for the fix")

    assert visit.complaints == []


async def test_single_keys_can_be_turned_off(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.goto(f"{scene.public_url}/help")
        await page.locator("main [data-keys]").uncheck()
        await page.goto(f"{scene.public_url}/")
        await page.keyboard.press("?")
        await page.keyboard.press("/")

        await expect(page.locator("#help")).to_be_hidden()
        await expect(page.locator("#search")).not_to_be_focused()


async def test_live_regions_hold_changes_and_nothing_that_ticks(
    chromium: Browser, scene: Scene
) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.goto(f"{scene.public_url}/p/shop/checkout/prod")
        await connected(scene)
        await page.evaluate(_LISTEN)
        for _ in range(5):
            await page.clock.run_for(1_000)
        ticked = await page.evaluate("window.heard.length")
        checkout = Pipeline("checkout", app="podinfo")
        story = checkout.promotion("prod", "6.9.0", current="6.8.4")
        scene.tell(story.rejected("not on Fridays"))
        await expect(page.locator("#announcer")).to_contain_text("rejected")
        scene.tell(
            checkout.observed(
                checkout.environment("staging", "6.9.0", gate=None),
                checkout.environment("prod", "6.8.4", gate=GateState.PENDING),
            )
        )
        await expect(page.locator("#live")).to_contain_text("not on Fridays")
        heard = await page.evaluate("window.heard")

    assert ticked == 0
    assert len(heard) == 1
    assert "not on Fridays" in heard[0]


_LISTEN = """() => {
  window.heard = [];
  const note = (changes) => changes.forEach((c) => {
    const text = c.target.textContent.trim();
    if (text && window.heard.at(-1) !== text) window.heard.push(text);
  });
  document.querySelectorAll("[aria-live], [role=status], [role=alert]").forEach((region) =>
    new MutationObserver(note).observe(
      region, { subtree: true, childList: true, characterData: true }));
}"""


async def test_copy_button_copies_the_whole_of_it(chromium: Browser, scene: Scene) -> None:
    async with visiting(chromium, scene) as visit:
        page = visit.page
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto(f"{scene.public_url}/p/shop/checkout")
        await page.locator("summary", has_text="Commands").first.click()
        await page.locator(".command button").first.click()

        await expect(page.locator(".command button").first).to_have_text("Copied")
        copied = await page.evaluate("navigator.clipboard.readText()")

    assert copied.startswith("kubectl -n dev describe helmrelease")


async def test_two_demonstrations_in_one_browser_do_not_sign_each_other_out(
    chromium: Browser, scene: Scene
) -> None:
    """Cookies know no ports, so the name of ours has it."""
    other, listener = scene_on_a_port()
    async with serving(other, listener), visiting(chromium, scene) as visit:
        page = await visit.page.context.new_page()
        await page.goto(f"{other.public_url}/sign-in")
        await page.get_by_role("button", name="Ada Lovelace").click()
        await expect(page.locator(".who-name")).to_have_text("Ada Lovelace")

        await visit.page.reload()

        await expect(visit.page.locator(".who-name")).to_have_text("Grace Hopper")
        await page.reload()
        await expect(page.locator(".who-name")).to_have_text("Ada Lovelace")
