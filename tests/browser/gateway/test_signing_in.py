"""Signing in and out at a real identity provider, and losing a right, as a person sees it."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from browser.gateway.conftest import eventually
from doubles.oidc_provider import PUBLIC_CLIENT_ID, fetch, provider
from playwright.async_api import Browser, expect
from unit.gateway.doubles import Scene
from unit.gateway.gallery import rich_board
from unit.gateway.serving import serving
from unit.gateway.test_rights import Table

from countersign.gateway.oidc.attempts import Attempts
from countersign.gateway.oidc.claims import ClaimRules
from countersign.gateway.oidc.code_flow import OidcSignIn, Registration
from countersign.gateway.oidc.provider import Provider
from countersign.gateway.oidc.transport import transport
from countersign.gateway.schedule import recheck
from countersign.process.http.listening import listen

pytestmark = [pytest.mark.browser]


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    installed = await asyncio.to_thread(fetch, tmp_path)
    listener = listen("127.0.0.1", 0)
    home = f"http://127.0.0.1:{listener.getsockname()[1]}"
    registration = Registration(
        client_id=PUBLIC_CLIENT_ID,
        secret_file=None,
        scopes="openid profile email groups",
        redirect_uri=f"{home}/sign-in/callback",
        farewell_uri=f"{home}/sign-in",
    )
    async with provider(installed, redirect_origin=home) as idp, transport(None) as http:
        asked = Provider(http, issuer=idp.issuer, elapsed=time.monotonic)
        attempts = Attempts(elapsed=time.monotonic, dice=secrets.token_bytes)
        sign_in = OidcSignIn(asked, registration, ClaimRules(), attempts=attempts, now=time.time)
        made = Scene(public_url=home, provider=sign_in, access=Table(promoted=frozenset()))
        rich_board(made)
        async with serving(made, listener):
            yield made


async def test_person_signs_in_loses_a_right_and_signs_out(chromium: Browser, scene: Scene) -> None:
    context = await chromium.new_context()
    context.set_default_timeout(15_000)
    page = await context.new_page()
    complaints: list[str] = []

    async def one_is_open() -> bool:
        return len(scene.hub) == 1

    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)

    await page.goto(f"{scene.public_url}/p/shop/checkout")
    await page.get_by_role("link", name="Continue to 127.0.0.1").click()
    await page.get_by_placeholder("Enter any login").fill("grace")
    await page.get_by_placeholder("and password").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url(f"{scene.public_url}/p/shop/checkout")
    await expect(page.locator(".who-name")).to_have_text("Grace Hopper")

    await eventually(one_is_open)
    assert isinstance(scene.access, Table)
    scene.access.seen = frozenset()
    await recheck(scene.visibility, scene.hub)
    await expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    await page.get_by_text("What an administrator can apply").click()
    await expect(page.locator("pre")).to_contain_text("kind: RoleBinding")

    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Yes, sign me out").click()
    await page.wait_for_url(f"{scene.public_url}/sign-in")
    await expect(page.get_by_role("link", name="Continue to 127.0.0.1")).to_be_visible()
    await context.close()

    # The provider's own pages look for fonts elsewhere.
    assert [c for c in complaints if "Content Security Policy" in c] == []
