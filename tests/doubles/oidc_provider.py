"""A real identity provider: npm's oidc-provider, run by node, and a browser that visits it.

It is not ours to copy, so npm fetches it, once for all tests of a worker.
"""

import asyncio
import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx2
import prerequisites
from joserfc.jwk import RSAKey

from countersign.local.demo.layout import free_port

PACKAGE: Final = "oidc-provider@9.13.3"
SCRIPTS: Final = ("oidc_provider.mjs", "oidc_dialects.mjs")
FETCH_S_MAX: Final = 120.0
START_S_MAX: Final = 30.0
STEPS_MAX: Final = 12
CLIENT_ID: Final = "countersign"
CLIENT_SECRET: Final = "made-up-secret:of a/test+client"
PUBLIC_CLIENT_ID: Final = "countersign-public"
PEOPLE: Final[Mapping[str, Mapping[str, Any]]] = {
    "grace": {
        "name": "Grace Hopper",
        "email": "grace@example.org",
        "email_verified": True,
        "groups": ["developers", "shop"],
    },
    "mallory": {"name": "M", "email": "grace@example.org", "email_verified": False},
    "root": {"email": "root@example.org", "groups": ["system:masters"]},
}


def fetch(directory: Path) -> Path:
    """Install it below the directory; skips with the reason where npm or node is absent."""
    prerequisites.path_or_skip(prerequisites.NODE)
    npm = prerequisites.path_or_skip(prerequisites.NPM)
    command = (npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", directory)
    subprocess.run(
        (*command, "--cache", directory / "cache", PACKAGE),
        check=True,
        capture_output=True,
        timeout=FETCH_S_MAX,
    )
    for script in SCRIPTS:
        shutil.copy(Path(__file__).with_name(script), directory)
    return directory


@dataclass
class IdentityProvider:
    """One that runs, may be stopped, and may come back with another key."""

    directory: Path
    redirect_origin: str
    port: int = field(default_factory=free_port)
    key: RSAKey = field(default_factory=lambda: new_key("one"))
    process: asyncio.subprocess.Process | None = None
    # Beside what is told of the gateway's clients.
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        there = {
            "redirect_uris": [f"{self.redirect_origin}/sign-in/callback"],
            "post_logout_redirect_uris": [f"{self.redirect_origin}/sign-in"],
        }
        confidential = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        public = {"client_id": PUBLIC_CLIENT_ID, "token_endpoint_auth_method": "none"}
        clients = (confidential, public, *self.more.get("clients", ()))
        settings = {
            "issuer": self.issuer,
            "port": self.port,
            "jwks": {"keys": [self.key.as_dict(private=True)]},
            "people": PEOPLE,
            **self.more,
            "clients": [{**client, **there} for client in clients],
        }
        node = prerequisites.path_or_skip(prerequisites.NODE)
        self.process = await asyncio.create_subprocess_exec(
            node,
            SCRIPTS[0],
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "SETTINGS": json.dumps(settings)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(START_S_MAX):
            assert b"listening" in await self.process.stdout.readline()

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), START_S_MAX)
        self.process = None


def new_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}, private=True)


@asynccontextmanager
async def provider(
    directory: Path, *, redirect_origin: str, more: Mapping[str, Any] | None = None
) -> AsyncIterator[IdentityProvider]:
    made = IdentityProvider(directory, redirect_origin, more=more or {})
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def sign_in_there(url: str, person: str, *, home: str, decline: bool = False) -> str:
    """Do what the provider's pages ask until it sends the browser home; the address there."""
    async with httpx2.AsyncClient(trust_env=False) as browser:
        return await walk(browser, url, person, home=home, decline=decline)


async def sign_out_there(browser: httpx2.AsyncClient, url: str) -> str:
    """Say yes to signing out; where the provider sends the browser then."""
    page = await browser.get(url)
    assert "Do you want to sign-out" in page.text, page.text
    found = re.search(r'name="xsrf" value="(\w+)"', page.text)
    action = re.search(r'action="([^"]+)"', page.text)
    assert found is not None
    assert action is not None
    fields = {"xsrf": found[1], "logout": "yes"}
    answer = await browser.post(html.unescape(action[1]), data=fields)
    return str(answer.headers["location"])


async def walk(
    browser: httpx2.AsyncClient, url: str, person: str, *, home: str, decline: bool = False
) -> str:
    """As `sign_in_there`, in a browser that stays."""
    answer = await browser.get(url)
    for _ in range(STEPS_MAX):
        if answer.is_redirect:
            url = urljoin(str(answer.url), answer.headers["location"])
            if url.startswith(home):
                return url
            answer = await browser.get(url)
            continue
        assert answer.status_code == 200, answer.text
        page = answer.text
        prompt = re.search(r'name="prompt" value="(\w+)"', page)
        action = re.search(r'action="([^"]+)"', page)
        assert prompt is not None, page
        assert action is not None, page
        if decline:
            abort = re.search(r'href="([^"]+/abort)"', page)
            assert abort is not None, page
            answer = await browser.get(urljoin(str(answer.url), html.unescape(abort[1])))
            continue
        fields = {"prompt": prompt[1], "login": person, "password": "any"}
        answer = await browser.post(urljoin(str(answer.url), html.unescape(action[1])), data=fields)
    raise AssertionError(f"the provider did not come to an end at {urlsplit(url).path}")


async def type_there(url: str, code: str, person: str, *, decline: bool = False) -> None:
    """Type a code at the page that takes it, and do what follows until nothing more is asked."""
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=True) as browser:
        page = (await browser.get(url)).text
        typed = {"xsrf": _value(page, "xsrf"), "user_code": code}
        page = (await browser.post(url, data=typed)).text
        decision = {"abort": "yes"} if decline else {"confirm": "yes"}
        confirmed = {"xsrf": _value(page, "xsrf"), "user_code": code, **decision}
        answer = await browser.post(url, data=confirmed)
        for _ in range(STEPS_MAX):
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            action = re.search(r'action="([^"]+)"', answer.text)
            if prompt is None or action is None:
                return
            fields = {"prompt": prompt[1], "login": person, "password": "any"}
            to = urljoin(str(answer.url), html.unescape(action[1]))
            answer = await browser.post(to, data=fields)
    raise AssertionError(f"the provider did not come to an end at {urlsplit(url).path}")


def _value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])
