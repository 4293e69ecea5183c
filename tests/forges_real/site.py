"""The whole system in real processes, with a real Gitea at the place of its forge."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from e2e.people import Person
from e2e.systems import system
from e2e.witnessing import Witness, stored, witnessing
from forges_real.gitea_server import PASSWORD, GiteaServer
from forges_real.signing_in import Client, consent_by_hand
from forges_real.stage import git, prepare, push_to, until

from countersign.contracts.message import Message
from countersign.local.cluster.control import Control, Target, write_control
from countersign.local.demo.layout import FORGE_SLUG, Layout, Ports, write_secret
from countersign.local.demo.manifests import BOT, BOT_SECRET, NAMESPACE
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import PEOPLE, WRITERS, seed
from countersign.local.demo.walk.browsing import Page

REPOSITORY: Final = f"{NAMESPACE}/gitops"
STEP_S: Final = 60.0
LABEL: Final = "promotion"
STORED_SCOPES: Final = ("read:user", "write:repository", "write:issue")


@dataclass
class AtGitea(Person):
    """A person who signs in and consents on Gitea's own pages."""

    async def sign_in(self) -> None:
        page = await self.browser.open(f"{self.ports.gateway_url}/sign-in")
        await self.browser.submit(page, "/sign-in", {"person": self.login})
        page = await self.browser.open(f"{self.ports.forge_url}/user/login")
        said = {"user_name": self.login, "password": PASSWORD}
        await self.browser.submit(page, "/user/login", said)

    async def promote(self, name: str, environment: str = "") -> Page:
        page = await self.browser.open(self.sheet(name, environment))
        page = await self.browser.submit(page, "/promote")
        if page.url.startswith(self.ports.forge_url):
            page = await self.browser.submit(page, "/login/oauth/grant", {"granted": "true"})
        return page


@dataclass
class GiteaSite:
    """All that runs, and what the bus told."""

    server: GiteaServer
    started: Running
    witness: Witness
    people: dict[str, AtGitea] = field(default_factory=dict)

    async def person(self, login: str) -> AtGitea:
        if login not in self.people:
            self.people[login] = AtGitea(login, self.started.ports)
            await self.people[login].sign_in()
        return self.people[login]

    async def next(self, kind: type[Message], pipeline: str, **fits: Any) -> Any:
        """Wait for an event of that pipeline that has these values."""

        def wanted(message: Message) -> bool:
            ref = getattr(message, "promotion", None)
            return (
                isinstance(message, kind)
                and (ref is None or ref.pipeline.name == pipeline)
                and all(_value(message, name) == value for name, value in fits.items())
            )

        try:
            found = await self.witness.until(wanted, seconds_max=STEP_S)
        except TimeoutError:
            heard = [r.subject for r in self.witness.heard]
            raise AssertionError(f"no {kind.__name__} of {pipeline} {fits}: {heard}") from None
        return found.message

    async def call(self, method: str, below: str, body: Any = None, **how: Any) -> Any:
        path = f"/repos/{REPOSITORY}{below}"
        return await asyncio.to_thread(self.server.call, method, path, body, **how)

    async def close(self) -> None:
        for one in self.people.values():
            await one.browser.close()

    async def report(self, commit: str, check: str, state: str) -> None:
        body = {"context": check, "state": state}
        await self.call("POST", f"/statuses/{commit}", body, by="grace")

    async def until_opened(self, author: str) -> Any:
        """The one pull request of that author."""
        path = f"/repos/{REPOSITORY}/pulls?poster={author}"
        await asyncio.to_thread(until, lambda: self.server.call("GET", path), self.server)
        (one,) = self.server.call("GET", path)
        return one

    async def until_closed(self, number: int) -> Any:
        path = f"/repos/{REPOSITORY}/pulls/{number}"
        closed = lambda: self.server.call("GET", path)["state"] == "closed"  # noqa: E731
        await asyncio.to_thread(until, closed, self.server)
        return self.server.call("GET", path)

    async def consent_elsewhere(self, login: str, scope: str) -> str:
        """Consent to our application by hand, for these scopes, and return the token."""
        layout, ports = self.started.layout, self.started.ports
        entry = yaml.safe_load(layout.forges_file.read_text())["forges"][0]
        client = Client(
            id=entry["clientId"],
            secret=layout.client_secret_file.read_text(),
            redirect_uri=f"{ports.gateway_url}/oauth/callback/{FORGE_SLUG}",
        )
        return await consent_by_hand(self.server.origin, client, login=login, scope=scope)

    async def credential(self) -> Any:
        """The stored token, as the auditor tells of it at the gateway."""
        ada = await self.person("ada")
        url = f"{self.started.ports.gateway_url}/api/v1/credentials"
        items: Any = (await ada.browser.read_json(url))["items"]
        assert len(items) == 1, items
        return items[0]

    async def canary(self) -> str:
        """Return the beginning of every delegated token: the header of what Gitea signs."""
        token = await self.consent_elsewhere("grace", "read:user write:repository")
        return token.partition(".")[0]

    def hold(self, pipeline: str, environment: str = "test") -> None:
        """Let it not be healthy before somebody releases it: a webhook may be slow."""
        self._hold(Target(namespace=f"{pipeline}-{environment}"))

    def release(self) -> None:
        self._hold()

    def _hold(self, *targets: Target) -> None:
        write_control(self.started.layout.cluster, Control(unhealthy=targets))

    async def merge(self, number: int, *, by: str) -> None:
        url = f"/pulls/{number}"
        looked = lambda: self.server.call("GET", f"/repos/{REPOSITORY}{url}")["mergeable"]  # noqa: E731
        await asyncio.to_thread(until, looked, self.server)
        body = {"Do": "merge", "delete_branch_after_merge": True}
        await self.call("POST", f"{url}/merge", body, by=by)


def _value(message: Message, path: str) -> Any:
    value: Any = message
    for name in path.split("__"):
        value = getattr(value, name)
    return value


def furnishing(
    server: GiteaServer, *, labels: bool, auto_merge: bool, checks: tuple[str, ...]
) -> Callable[[Layout, Ports], None]:
    """Everything that the demonstration's forge has, at this server instead."""

    def furnish(layout: Layout, ports: Ports) -> None:
        seed(layout, ports)
        gitops, website = layout.seed / "gitops", layout.forge / "repositories" / NAMESPACE
        for path in (gitops / "pipelines").glob("*.yaml"):
            text = path.read_text().replace("type: github", "type: gitea")
            if auto_merge:
                text = text.replace("  promotion:\n", "  promotion:\n    autoMerge: true\n", 1)
            path.write_text(text)
        server.port, server.repositories = ports.forge, layout.forge / "repositories"
        aside = layout.seed / "website.git"
        (website / "website.git").rename(aside)
        server.start()
        for login in (*PEOPLE, BOT):
            server.person(login)
        server.organization(NAMESPACE, writers=WRITERS)
        for name in ("gitops", "website"):
            server.repository(NAMESPACE, name)
        files = {p.relative_to(gitops).as_posix(): p.read_bytes()
                 for p in gitops.rglob("*") if p.is_file()}  # fmt: skip
        push_to(server, REPOSITORY, prepare(layout.seed / "pushed", files))
        push_to(server, f"{NAMESPACE}/website", aside)
        until(lambda: not server.call("GET", f"/repos/{REPOSITORY}")["empty"], server)
        server.protect(REPOSITORY, *checks, push=False)
        secret = layout.webhook_secret_file.read_text()
        server.webhook(REPOSITORY, ports.webhooks_url, secret=secret)
        server.call("POST", f"/repos/{REPOSITORY}/labels", {"name": LABEL, "color": "#00aabb"})
        app = server.application(f"{ports.gateway_url}/oauth/callback/{FORGE_SLUG}")
        write_secret(layout.client_secret_file, app.secret)
        token_file = layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET)
        write_secret(token_file, server.personal_token(BOT, *STORED_SCOPES))
        listed = yaml.safe_load(layout.forges_file.read_text())
        listed["forges"][0] |= {"kind": "gitea", "clientId": app.id}
        listed["forges"][0]["pullRequests"] = {"labels": [LABEL] if labels else [],
                                               "autoMerge": "allowed"}  # fmt: skip
        layout.forges_file.write_text(yaml.safe_dump(listed))

    return furnish


@asynccontextmanager
async def gitea_site(
    static: Path,
    folder: Path,
    *,
    labels: bool = True,
    auto_merge: bool = False,
    checks: tuple[str, ...] = (),
) -> AsyncIterator[GiteaSite]:
    server = GiteaServer(static=static, work=folder / "gitea")
    furnish = furnishing(server, labels=labels, auto_merge=auto_merge, checks=checks)
    async with AsyncExitStack() as stack:
        stack.callback(server.stop)
        started = await stack.enter_async_context(system(folder, furnish=furnish, has_forge=False))
        witness = await stack.enter_async_context(witnessing(started))
        # What was told before anybody listened.
        witness.heard[:0] = await stored(started)
        site = GiteaSite(server, started, witness)
        stack.push_async_callback(site.close)
        yield site


def files_of(site: GiteaSite, commit: str) -> dict[str, bytes]:
    """The files that a commit changes, as they are after it."""
    bare = str(site.server.repositories / f"{REPOSITORY}.git")
    where = ("--git-dir", bare, "-c", "safe.directory=*")
    named = git(*where, "diff-tree", "-r", "-z", "--no-commit-id", "--name-only", commit)
    paths = [name.decode() for name in named.split(b"\0") if name]
    return {path: git(*where, "show", f"{commit}:{path}") for path in paths}
