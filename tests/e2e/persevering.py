"""A person who does not give up: whatever fails is looked at again, and asked for again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import Ports
from countersign.local.demo.manifests import BOT, ENVIRONMENTS, NAMESPACE
from countersign.local.demo.walk.browsing import Browser, Page
from countersign.local.demo.walk.walking import Route

_LOOK_S: Final = 0.2
_RETRYABLE: Final = frozenset({"failed", "rejected", "closed", "undone"})

Json = Mapping[str, Any]


@dataclass
class Perseverance:
    """`stuck` says what was seen last, for the failure of a test.

    With `merges` off, pull requests are left open. Without a revision everything that waits is
    promoted, without end.
    """

    route: Route
    ports: Ports
    browser: Browser
    stuck: str = ""
    merges: bool = True

    async def run(self, revision: str) -> None:
        while True:
            try:
                if await self._look(revision):
                    return
            except (Rejected, Retryable, ValueError, KeyError) as error:
                # A page of an error, a service that is being started again.
                self.stuck = f"{self.stuck.partition(' | ')[0]} | {error}"
            await asyncio.sleep(_LOOK_S)

    async def _look(self, revision: str) -> bool:
        await self.sign_in()
        stages = await self._stages()
        if stages.get(ENVIRONMENTS[-1]) == revision:
            return True
        for promotion in await self._promotions(revision):
            self.stuck = f"{promotion['environment']}: {promotion['state']}"
            await self._act(promotion)
        return False

    async def sign_in(self) -> None:
        page = await self.browser.open(f"{self.ports.gateway_url}/sign-in")
        if page.find("/sign-in"):
            await self.browser.submit(page, "/sign-in", {"person": self.route.login})

    async def _stages(self) -> dict[str, str]:
        url = f"{self.ports.gateway_url}/api/v1/pipelines"
        found: Any = (await self.browser.read_json(url))["items"]
        ours = [p for p in found if p["name"] == self.route.pipeline]
        return {e["name"]: e["revision"] for p in ours for e in p["environments"]}

    async def _promotions(self, revision: str) -> list[Json]:
        query = f"namespace={NAMESPACE}&pipeline={self.route.pipeline}"
        url = f"{self.ports.gateway_url}/api/v1/promotions?{query}"
        found: Any = (await self.browser.read_json(url))["items"]
        return [p for p in found if not revision or p["revision"] == revision]

    async def _act(self, promotion: Json) -> None:
        state = promotion["state"]
        if state in {"waiting", "asked"}:
            await self._consent(promotion["environment"])
        elif state == "open" and promotion["pullRequest"]:
            if not self.merges:
                return
            page = await self._at_forge(str(promotion["pullRequest"]))
            if page.find("/merge"):
                await self.browser.submit(page, "/merge")
        elif state in _RETRYABLE:
            page = await self.browser.open(
                f"{self.ports.gateway_url}/promotions/{promotion['promotionId']}"
            )
            await self.browser.submit(page, "/retry")

    async def _at_forge(self, url: str) -> Page:
        page = await self.browser.open(f"{self.ports.forge_url}/login")
        if page.find("/login"):
            await self.browser.submit(page, "/login", self._credentials)
        return await self.browser.open(url)

    @property
    def _credentials(self) -> dict[str, str]:
        return {"login": self.route.login, "password": "demo"}

    async def _consent(self, environment: str) -> None:
        sheet = f"{self.ports.gateway_url}/p/{NAMESPACE}/{self.route.pipeline}/{environment}"
        page = await self.browser.open(f"{sheet}/promote")
        if self.route.author == BOT:
            await self.browser.submit(page, f"/{environment}/approve")
            return
        page = await self.browser.submit(page, f"/{environment}/promote")
        for _ in range(5):
            if not page.url.startswith(self.ports.forge_url):
                return
            if page.find("/login/oauth/authorize"):
                allow = {"authorize": "1"}
                page = await self.browser.submit(page, "/login/oauth/authorize", allow)
            else:
                page = await self.browser.submit(page, "/login", self._credentials)
