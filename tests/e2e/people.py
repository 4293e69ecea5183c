"""A person at the gateway and at the forge, by HTTP; sees what a person sees."""

import asyncio
import html
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from e2e.furnishing import APPLICATIONS

from countersign.gateway.model import PipelineKey
from countersign.gateway.text import addresses
from countersign.local.demo.layout import Ports
from countersign.local.demo.manifests import NAMESPACE
from countersign.local.demo.walk.browsing import Browser, Page

PATIENCE_S: Final = 30.0
_LOOK_S: Final = 0.1
_FORGE_PAGES_MAX: Final = 5

Json = dict[str, Any]


@dataclass
class Person:
    login: str
    ports: Ports
    browser: Browser = field(default_factory=Browser)

    async def sign_in(self) -> None:
        page = await self.browser.open(f"{self.ports.gateway_url}/sign-in")
        await self.browser.submit(page, "/sign-in", {"person": self.login})
        page = await self.browser.open(f"{self.ports.forge_url}/login")
        await self.browser.submit(page, "/login", self._credentials)

    @property
    def _credentials(self) -> dict[str, str]:
        return {"login": self.login, "password": "demo"}

    async def sees(self, path: str, *words: str) -> str:
        """The text of a page of the gateway, which must hold these words."""
        page = await self.browser.open(f"{self.ports.gateway_url}{path}")
        text = html.unescape(page.text)
        for word in words:
            assert word in text, f"{page.url} ({page.status}) does not say {word!r}: {text}"
        return text

    async def pipeline(self, name: str) -> Json:
        url = f"{self.ports.gateway_url}/api/v1/pipelines"
        found: Any = (await self.browser.read_json(url))["items"]
        return next((p for p in found if p["name"] == name), {})

    async def promotions(self, name: str) -> list[Json]:
        """Newest first."""
        query = f"namespace={NAMESPACE}&pipeline={name}"
        url = f"{self.ports.gateway_url}/api/v1/promotions?{query}"
        found: Any = (await self.browser.read_json(url))["items"]
        return list(found)

    async def until_pipeline(self, name: str, fits: Callable[[Json], object]) -> Json:
        return await self._until(lambda: self.pipeline(name), fits)

    async def until(self, name: str, *states: str, revision: str = "") -> Json:
        """The newest promotion, when it is in one of these states."""

        async def newest() -> Json:
            return next(iter(await self.promotions(name)), {})

        def fits(one: Json) -> bool:
            right = not revision or one.get("revision") == revision
            return right and one.get("state") in states

        return await self._until(newest, fits)

    async def _until(self, look: Any, fits: Callable[[Json], object]) -> Json:
        seen: Json = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not fits(seen):
                    await asyncio.sleep(_LOOK_S)
                    seen = await look()
        except TimeoutError:
            raise AssertionError(f"not within {PATIENCE_S:g} s; last seen: {seen}") from None
        return seen

    def sheet(self, name: str, environment: str = "") -> str:
        environment = environment or APPLICATIONS[name].environment
        path = addresses.consent(PipelineKey(NAMESPACE, name), environment)
        return f"{self.ports.gateway_url}{path}"

    async def promote(self, name: str, environment: str = "") -> Page:
        """*Promote as me*, through the forge and back; returns where it ended."""
        page = await self.browser.open(self.sheet(name, environment))
        page = await self.browser.submit(page, "/promote")
        for _ in range(_FORGE_PAGES_MAX):
            if not page.url.startswith(self.ports.forge_url):
                break
            if page.find("/login/oauth/authorize"):
                allow = {"authorize": "1"}
                page = await self.browser.submit(page, "/login/oauth/authorize", allow)
            else:
                page = await self.browser.submit(page, "/login", self._credentials)
        return page

    async def ask(self, promotion_id: str, **said: object) -> httpx2.Response:
        """To promote as oneself, as a program does, also where no page offers it."""
        api = f"{self.ports.gateway_url}/api/v1"
        session = await self.browser.read_json(f"{api}/session")
        headers = {
            "X-Countersign-Form": str(session["formToken"]),
            "Origin": self.ports.gateway_url,
            "Sec-Fetch-Site": "same-origin",
        }
        url = f"{api}/promotions/{promotion_id}/begin"
        return await self.browser.post(url, headers=headers, body=said)

    async def begin(self, promotion_id: str) -> str:
        """Where the forge asks for consent."""
        answer = await self.ask(promotion_id)
        assert answer.status_code == httpx2.codes.OK, answer.text
        return str(answer.json()["authorizeUrl"])

    async def retry(self, promotion_id: str) -> None:
        page = await self.browser.open(f"{self.ports.gateway_url}/promotions/{promotion_id}")
        await self.browser.submit(page, "/retry")

    async def reject(self, promotion_id: str) -> None:
        page = await self.browser.open(f"{self.ports.gateway_url}/promotions/{promotion_id}")
        await self.browser.submit(page, "/reject", {"reason": "wait for the fix"})

    async def complete(self, name: str, *, author: str = "ada") -> Json:
        """Merge the open pull request, and wait until the environment runs it."""
        promotion = await self.until(name, "open")
        assert promotion["author"] == author
        page = await self.browser.open(promotion["pullRequest"])
        page = await self.browser.submit(page, "/merge")
        assert "merged by" in page.text, page.text
        return await self.until(name, "completed", revision=promotion["revision"])


@asynccontextmanager
async def person(login: str, ports: Ports) -> AsyncIterator[Person]:
    one = Person(login, ports)
    try:
        await one.sign_in()
        yield one
    finally:
        await one.browser.close()
