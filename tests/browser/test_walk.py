"""A person walks a promotion in a real browser, with the whole system running."""

import asyncio
import re

import httpx2
import pytest
from browser.visiting import REFUSED, Visit, runs, track, visit
from doubles import local_forge_browser
from e2e.people import person
from e2e.systems import canary, pulls
from playwright.async_api import expect

from countersign.local.demo.manifests import NEW, OLD
from countersign.local.demo.running import Running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.timeout(240),
]

# Long enough to see each step, short enough to wait for.
LATENCY_MS = 400
STEPS = ("reading files", "editing", "committing", "opening the pull request")
# Every state of the gate that the page shows, in order; kept by the page itself, because some
# last for a few hundredths of a second.
WATCH = """() => {
  window.seen = [];
  const look = () => {
    const now = document.querySelector('.progress .current') || document.querySelector('.now-word');
    const text = now ? now.textContent.trim() : '';
    if (text && window.seen.at(-1) !== text) window.seen.push(text);
  };
  look();
  const options = {subtree: true, childList: true, characterData: true, attributes: true};
  new MutationObserver(look).observe(document.body, options);
}"""


async def test_person_walks_a_promotion_live_with_javascript(started: Running) -> None:
    async with visit(started.ports) as ada:
        await ada.sign_in("ada")
        board = await ada.another_page()
        await board.goto(f"{started.ports.gateway_url}/")
        await expect(runs(board, "live", "prod")).to_have_text(OLD)
        await track(ada.page, "live").get_by_role("link", name=f"Promote {NEW}").click()
        await assert_sheet_says_what_will_happen(ada, "live")
        await ada.continue_to_forge("ada")
        await slow_down(started, LATENCY_MS)
        await ada.page.add_init_script(f"addEventListener('DOMContentLoaded', {WATCH})")
        await ada.authorize()
        await expect(ada.page.locator(".now-word")).to_have_text("in pull request")
        await slow_down(started, 0)
        seen: list[str] = await ada.page.evaluate("window.seen")
        steps = [one for one in seen if one in STEPS]
        assert len(steps) >= 2, seen
        assert steps == [s for s in STEPS if s in steps]
        assert seen[-1] == "in pull request"
        loads = [url for url in ada.loaded if "/promotions/" in url]
        assert len(loads) == 1, "the page was loaded again"
        await assert_token_is_nowhere(started, ada)

        await expect(track(board, "live")).to_contain_text("by ada")
        await ada.page.get_by_role("link", name="Open pull request").click()
        await ada.merge()
        await expect(runs(board, "live", "prod")).to_have_text(NEW)
        await expect(track(board, "live")).to_contain_text("up to date")
        assert len([u for u in ada.loaded if u == board.url]) == 2, "the board was loaded again"

    assert await author_of(started, "live") == "ada"


async def test_person_walks_a_promotion_without_javascript(started: Running) -> None:
    async with visit(started.ports, javascript=False) as barbara:
        await barbara.sign_in("barbara")
        await track(barbara.page, "plain").get_by_role("link", name=f"Promote {NEW}").click()
        await assert_sheet_says_what_will_happen(barbara, "plain")
        await barbara.continue_to_forge("barbara")
        await barbara.authorize()
        await reload_until(barbara, ".now-word", "in pull request")
        await barbara.page.get_by_role("link", name="Open pull request").click()
        await barbara.merge()
        await barbara.open("/")
        await reload_until(barbara, prod_of("plain"), NEW)

    assert await author_of(started, "plain") == "barbara"


async def test_rejection_keeps_its_reason_until_somebody_asks_again(started: Running) -> None:
    async with visit(started.ports) as ada:
        await ada.sign_in("ada")
        await ada.open("/p/shop/refused/prod/promote")
        await ada.page.get_by_text(f"Reject {NEW}", exact=True).click()
        await ada.page.get_by_label("Reason").fill("wait for the fix")
        await ada.page.get_by_role("button", name=f"Reject {NEW}").click()
        await expect(ada.page.locator(".now-word")).to_have_text("rejected")
        sentence = ada.page.locator(".now-sentence")
        await expect(sentence).to_contain_text("rejected by Ada Lovelace")
        await expect(sentence).to_contain_text("wait for the fix")
        board = await ada.another_page()
        await board.goto(f"{started.ports.gateway_url}/")
        await expect(track(board, "refused")).to_contain_text("wait for the fix")

        await ada.page.get_by_role("button", name="Ask again").click()
        await expect(ada.page.locator(".now-word")).to_have_text("waiting")
        await expect(ada.page.get_by_role("link", name=f"Promote {NEW}")).to_be_visible()
        await expect(track(board, "refused")).to_contain_text("waiting")

        await board.goto(f"{started.ports.gateway_url}/record?q=refused")
        await expect(board.locator("main")).to_contain_text("“wait for the fix”")


async def test_refusal_at_the_forge_leads_back_to_asking_again(started: Running) -> None:
    async with visit(started.ports) as edith:
        await edith.sign_in("edith")
        await edith.open("/p/shop/denied/prod/promote")
        await edith.continue_to_forge("edith")
        await edith.page.get_by_role("button", name="Cancel").click()
        main = edith.page.locator("main")
        await expect(main).to_contain_text("Edith Clarke declined at Local forge")
        edith.forgive(REFUSED)

        await edith.open("/p/shop/denied/prod")
        await expect(edith.page.locator(".now-word")).to_have_text("waiting")
        await expect(main).to_contain_text("Edith Clarke declined at Local forge")
        await edith.page.get_by_role("link", name=f"Promote {NEW}").click()
        await edith.page.get_by_role("button", name="Continue to").click()
        await edith.authorize()
        await expect(edith.page.locator(".now-word")).to_have_text("in pull request")


async def test_second_promotion_within_minutes_asks_nobody(started: Running) -> None:
    async with visit(started.ports) as hedy:
        await hedy.sign_in("hedy")
        await hedy.open("/p/shop/first/prod/promote")
        await hedy.continue_to_forge("hedy")
        await hedy.authorize()
        await expect(hedy.page.locator(".now-word")).to_have_text("in pull request")

        await hedy.open("/p/shop/second/prod/promote")
        hedy.loaded.clear()
        await hedy.page.get_by_role("button", name="Continue to").click()
        await expect(hedy.page.locator(".now-word")).to_have_text("in pull request")
        assert not [u for u in hedy.loaded if u.startswith(started.ports.forge_url)]
        await assert_token_is_nowhere(started, hedy)

    assert await author_of(started, "second") == "hedy"


async def test_person_types_a_code_at_the_forge_and_the_page_goes_on(started: Running) -> None:
    async with visit(started.ports) as mary:
        await mary.sign_in("mary")
        await mary.open("/p/shop/typed/prod/promote")
        await mary.page.get_by_role("button", name="Type a code at Local forge instead").click()
        shown = mary.page.get_by_role("region", name="Type this code at Local forge")
        await expect(shown).to_contain_text("Go on only if you yourself have just asked")
        await expect(mary.page.locator("main")).to_contain_text("shop/gitops")
        code = await shown.locator(".user-code code").inner_text()
        mary.loaded.clear()

        await type_code(mary, started, "mary", code)

        await expect(mary.page.locator(".now-word")).to_have_text("in pull request")
        await expect(shown).to_have_count(0)
        assert not [url for url in mary.loaded if "/promotions/" in url], "it was loaded again"
        await assert_token_is_nowhere(started, mary)

    assert await author_of(started, "typed") == "mary"


async def test_code_is_typed_without_javascript_and_shown_in_one_browser_alone(
    started: Running,
) -> None:
    async with (
        visit(started.ports, javascript=False) as katherine,
        visit(started.ports, javascript=False) as elsewhere,
    ):
        await katherine.sign_in("katherine")
        await katherine.open("/p/shop/typed-plain/prod/promote")
        button = "Type a code at Local forge instead"
        await katherine.page.get_by_role("button", name=button).click()
        code = await katherine.page.locator(".user-code code").inner_text()
        await elsewhere.sign_in("katherine")
        await elsewhere.open("/p/shop/typed-plain/prod")
        main = elsewhere.page.locator("main")
        await expect(main).to_contain_text("You began that in another browser")
        assert code not in await elsewhere.page.content()

        await type_code(katherine, started, "katherine", code)

        await reload_until(katherine, ".now-word", "in pull request")
        assert code not in await katherine.page.content()

    assert await author_of(started, "typed-plain") == "katherine"


async def test_program_is_told_the_code_and_its_person_types_it(started: Running) -> None:
    async with person("dorothy", started.ports) as dorothy:
        waiting = await dorothy.until("typed-program", "waiting")
        begun = (await dorothy.ask(waiting["promotionId"], device=True)).json()
        again = (await dorothy.ask(waiting["promotionId"], device=True)).json()
        code, origin = begun["userCode"], started.ports.forge_url

        await local_forge_browser.type_code(
            origin, code["url"], code["code"], "dorothy", deny=False
        )

        opened = await dorothy.until("typed-program", "open")

    assert (begun["authorizeUrl"], begun["granted"]) == ("", False)
    assert again["userCode"] == code
    assert opened["author"] == await author_of(started, "typed-program") == "dorothy"


async def type_code(whose: Visit, started: Running, login: str, code: str) -> None:
    """At the forge, in another tab."""
    tab = await whose.another_page()
    await tab.goto(f"{started.ports.forge_url}/login/device")
    await tab.locator(f'input[name="login"][value="{login}"]').check()
    await tab.get_by_label("Password").fill("demo")
    await tab.locator("main").get_by_role("button", name="Sign in").click()
    await tab.get_by_label("Type the code").fill(code)
    await tab.get_by_role("button", name="Continue").click()
    await tab.get_by_role("button", name="Authorize").click()
    await expect(tab.locator("main")).to_contain_text("Your device is connected")


async def test_reader_at_the_forge_is_told_that_it_refuses(started: Running) -> None:
    async with visit(started.ports) as olga:
        await olga.sign_in("olga")
        await olga.open("/p/shop/keys/prod/promote")
        await olga.continue_to_forge("olga")
        await olga.page.get_by_role("button", name="Authorize").click()
        main = olga.page.locator("main")
        await expect(main).to_contain_text("shop/gitops")
        await expect(main).to_contain_text(re.compile("cannot (write|push)|may not write"))
        olga.forgive(REFUSED)
        await expect(main.get_by_role("link", name="Promote")).to_have_count(0)
        await main.get_by_role("link", name="Show the promotion").click()
        await expect(main).to_contain_text("Olga Ladyzhenskaya cannot write to shop/gitops")


async def test_viewer_is_told_which_right_is_missing(started: Running) -> None:
    async with visit(started.ports) as ivan:
        await ivan.sign_in("ivan")
        waiting = track(ivan.page, "stale")
        await expect(waiting).to_contain_text("for somebody who may promote")
        await expect(waiting.get_by_role("link", name=re.compile("^Promote"))).to_have_count(0)
        await ivan.open("/p/shop/stale/prod/promote")
        await expect(ivan.page.locator("main")).to_contain_text("Ask for the verb “promote”")
        await expect(ivan.page.locator("main").get_by_role("button")).to_have_count(0)


async def assert_sheet_says_what_will_happen(person: Visit, name: str) -> None:
    """Before anything: which forge, which repository, what the token may, for how long."""
    await expect(person.page).to_have_url(re.compile(f"/p/shop/{name}/prod/promote$"))
    sheet = person.page.get_by_role("region", name="What will happen")
    for words in (
        "Local forge",
        "shop/gitops on branch main",
        f"apps/{name}",
        f"shop:{name}:prod",
        "for this repository only, which can read and write code and pull requests",
        "15 minutes",
        "revoked after use",
    ):
        await expect(sheet).to_contain_text(words)
    await expect(sheet).to_contain_text(re.compile(rf"{OLD}\s*to\s*{NEW}"))
    ways = ["Continue to Local forge as yourself", "Type a code at Local forge instead"]
    await expect(sheet.get_by_role("button")).to_have_text(ways)


async def assert_token_is_nowhere(started: Running, person: Visit) -> None:
    assert person.page.url.startswith(started.ports.gateway_url)
    kept = await person.everything_kept()
    assert "/promotions/" in kept, "this looked at nothing"
    assert await canary(started) not in kept
    assert "document.cookie" not in kept
    assert "ghu_" not in kept


async def reload_until(person: Visit, selector: str, text: str) -> None:
    async with asyncio.timeout(20):
        while text not in await person.page.locator(selector).first.inner_text():
            await asyncio.sleep(0.2)
            await person.page.reload()


def prod_of(name: str) -> str:
    return f'article[aria-label="shop/{name}"] li.environment:last-child .revision'


async def author_of(started: Running, name: str) -> str:
    """Who opened the one pull request of this pipeline, as the forge itself tells."""
    found = [p for p in await pulls(started) if p.gate.endswith(f"/{name}/prod")]
    assert len(found) == 1, sorted(p.branch for p in found)
    return found[0].author


async def slow_down(started: Running, latency_ms: int) -> None:
    """Each call of the forge's programming interface takes that much longer; 0 is as before."""
    rules = [{"path": "/api/*", "latency_ms": latency_ms}] if latency_ms else []
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        url = f"{started.ports.forge_url}/_local/faults"
        answer = await client.put(url, json={"rules": rules})
        answer.raise_for_status()
