"""Plays a person: signs in, consents, merges, and believes only what it sees."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import Ports
from countersign.local.demo.manifests import BOT, ENVIRONMENTS, NAMESPACE
from countersign.local.demo.walk.browsing import Browser, Page
from countersign.local.refusals import LocalRefusal

WALK_S_MAX: Final = 50.0
_LOOK_S: Final = 0.15
_PASSWORD: Final = "demo"  # noqa: S105 - the local forge shows it on its sign-in page
_GONE_WRONG: Final = frozenset({"failed", "rejected", "closed", "superseded", "undone"})
# Sign-in and consent at a forge; more pages than that go in a circle.
_FORGE_PAGES_MAX: Final = 5

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Route:
    """A pipeline to walk, the person who walks it, the expected author of pull requests."""

    pipeline: str
    login: str
    author: str

    @property
    def title(self) -> str:
        return f"{NAMESPACE}/{self.pipeline}"


DELEGATED: Final = Route(pipeline="checkout", login="ada", author="ada")
BY_COMMIT: Final = Route(pipeline="website", login="ada", author="ada")
STORED: Final = Route(pipeline="catalog", login="grace", author=BOT)


@dataclass(frozen=True, kw_only=True)
class Venue:
    """The ports of a running demonstration, and a way to release into a first environment."""

    ports: Ports
    release: Callable[[str], str]


class Walk:
    """One person on one pipeline. `step` says what is being waited for."""

    def __init__(
        self, route: Route, *, venue: Venue, browser: Browser, say: Callable[[str], None]
    ) -> None:
        self._route = route
        self._ports = venue.ports
        self._release = venue.release
        self._browser = browser
        self._say = say
        self.step = "signing in"

    async def run(self) -> None:
        """Walk from the first environment to the last.

        Raises:
            Rejected: something was seen that should not be; says what.

        """
        await self._sign_in()
        revision = await self._revision_of_first()
        if await self._is_level(revision):
            # An earlier walk brought everything everywhere.
            revision = self._release(self._route.pipeline)
        for environment in ENVIRONMENTS[1:]:
            await self._promote(environment, revision)

    async def _sign_in(self) -> None:
        page = await self._browser.open(f"{self._ports.gateway_url}/sign-in")
        page = await self._browser.submit(page, "/sign-in", {"person": self._route.login})
        if page.find("/sign-in"):
            raise Rejected(
                LocalRefusal.NOT_SIGNED_IN, f"{page.url} does not let {self._route.login} in"
            )
        page = await self._browser.open(f"{self._ports.forge_url}/login")
        await self._browser.submit(page, "/login", self._credentials)

    @property
    def _credentials(self) -> dict[str, str]:
        return {"login": self._route.login, "password": _PASSWORD}

    async def _revision_of_first(self) -> str:
        self.step = f"{self._route.title}: its first environment on the board"
        while True:
            first = await self._environment(ENVIRONMENTS[0])
            if first.get("revision"):
                return str(first["revision"])
            await asyncio.sleep(_LOOK_S)

    async def _is_level(self, revision: str) -> bool:
        return all([(await self._environment(e)).get("revision") == revision for e in ENVIRONMENTS])

    async def _promote(self, environment: str, revision: str) -> None:
        if (await self._environment(environment)).get("revision") == revision:
            return
        where = f"{self._route.title} {environment} {revision}"
        self.step = f"{where}: a promotion"
        promotion = await self._until(environment, revision, {"waiting", "opening", "open"})
        if promotion["state"] == "waiting":
            await self._consent(environment)
        self.step = f"{where}: the pull request"
        promotion = await self._until(environment, revision, {"open"})
        url = str(promotion["pullRequest"])
        await self._check(url, promotion)
        self._say(f"opened {url} by {self._route.author} {where}")
        await self._merge(url)
        self.step = f"{where}: the environment to run it"
        await self._until(environment, revision, {"completed"})
        self.step = f"{where}: the board to show it there"
        # What runs is told on another stream than promotions, and may come a moment later.
        while True:
            if (await self._environment(environment)).get("revision") == revision:
                break
            await asyncio.sleep(_LOOK_S)
        self._say(f"completed {where}")

    async def _consent(self, environment: str) -> None:
        sheet = f"{self._ports.gateway_url}/p/{NAMESPACE}/{self._route.pipeline}/{environment}"
        page = await self._browser.open(f"{sheet}/promote")
        if self._route.author == BOT:
            await self._browser.submit(page, f"/{environment}/approve")
            return
        page = await self._browser.submit(page, f"/{environment}/promote")
        for _ in range(_FORGE_PAGES_MAX):
            if not page.url.startswith(self._ports.forge_url):
                break
            page = await self._answer(page)
        if page.status >= 400 or "/promotions/" not in page.url:  # noqa: PLR2004 - errors
            raise Rejected(
                LocalRefusal.CONSENT, f"consent ended at {page.url} with status {page.status}"
            )

    async def _answer(self, page: Page) -> Page:
        """Answer the forge's questions on the way: sign in, and authorize the application."""
        if page.find("/login/oauth/authorize"):
            allow = {"authorize": "1"}
            return await self._browser.submit(page, "/login/oauth/authorize", allow)
        return await self._browser.submit(page, "/login", self._credentials)

    async def _check(self, url: str, promotion: Json) -> None:
        """The forge itself says who opened it, and what it changes."""
        author = promotion["author"]
        page = await self._browser.open(url)
        if author != self._route.author or f"<strong>{author}</strong> wants" not in page.text:
            raise Rejected(
                LocalRefusal.AUTHOR, f"{url} is by {author!r}, not by {self._route.author!r}"
            )
        lines = (await self._browser.open(f"{url}.diff")).text.splitlines()
        marker = f"{NAMESPACE}:{self._route.pipeline}:{promotion['environment']}"
        changed = [line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
        signs = [line[0] for line in changed]
        if signs != ["-", "+"] or not all(marker in line for line in changed):
            raise Rejected(
                LocalRefusal.CHANGES, f"{url} changes {len(changed)} lines, not the marked one"
            )

    async def _merge(self, url: str) -> None:
        page = await self._browser.open(url)
        page = await self._browser.submit(page, "/merge")
        if "merged by" not in page.text:
            raise Rejected(LocalRefusal.NOT_MERGED, f"{url} was not merged: status {page.status}")

    async def _environment(self, name: str) -> Json:
        url = f"{self._ports.gateway_url}/api/v1/pipelines"
        found: Any = (await self._browser.read_json(url))["items"]
        ours = [p for p in found if p["name"] == self._route.pipeline]
        stages = [e for p in ours for e in p["environments"] if e["name"] == name]
        return stages[0] if stages else {}

    async def _until(self, environment: str, revision: str, states: set[str]) -> Json:
        query = f"namespace={NAMESPACE}&pipeline={self._route.pipeline}&environment={environment}"
        url = f"{self._ports.gateway_url}/api/v1/promotions?{query}"
        while True:
            found: Any = (await self._browser.read_json(url))["items"]
            ours = [p for p in found if p["revision"] == revision]
            # The newest comes first.
            if ours and ours[0]["state"] in states:
                return dict(ours[0])
            if ours and ours[0]["state"] in _GONE_WRONG:
                wrong = ours[0].get("failureMessage") or ours[0].get("note") or "no reason given"
                raise Rejected(LocalRefusal.GONE_WRONG, f"{self.step}: {ours[0]['state']}, {wrong}")
            await asyncio.sleep(_LOOK_S)


async def see_held_back(ports: Ports, browser: Browser) -> str:
    """The gate behind the unhealthy target, as the board tells it; the browser is signed in.

    Raises:
        Rejected: `not_held_back`.

    """
    found: Any = await browser.read_json(f"{ports.gateway_url}/api/v1/pipelines/{NAMESPACE}/search")
    stage = next(e for e in found["environments"] if e["name"] == "staging")
    gate = stage.get("gate") or {}
    if gate.get("state") != "blocked":
        raise Rejected(
            LocalRefusal.NOT_HELD_BACK, f"{NAMESPACE}/search staging: {gate.get('sentence')!r}"
        )
    return f"held back {NAMESPACE}/search staging: {gate['sentence']}"


async def walk_all(venue: Venue, *, say: Callable[[str], None]) -> tuple[bytes, ...]:
    """Both flows, and both kinds of application, side by side; returns every answer that was seen.

    Raises:
        Rejected: what was seen is not what should be.
        Retryable: `too_slow`; says what was waited for.

    """
    browsers = {route: Browser() for route in (DELEGATED, STORED, BY_COMMIT)}
    walks = [Walk(r, venue=venue, browser=b, say=say) for r, b in browsers.items()]
    try:
        async with asyncio.timeout(WALK_S_MAX), asyncio.TaskGroup() as group:
            for one in walks:
                group.create_task(one.run())
        say(await see_held_back(venue.ports, browsers[DELEGATED]))
    except TimeoutError:
        waiting = "; ".join(one.step for one in walks)
        raise Retryable(
            LocalRefusal.TOO_SLOW, f"after {WALK_S_MAX:g} s still waiting for {waiting}"
        ) from None
    finally:
        for browser in browsers.values():
            await browser.close()
    return tuple(answer for browser in browsers.values() for answer in browser.seen)
