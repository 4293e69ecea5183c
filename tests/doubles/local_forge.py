"""A whole forge for a test: on a port of its own, with its handles in reach.

async with running_forge(tmp_path) as forge:
    forge.person("ada")
    forge.repository("acme/config", {"a.yaml": "x: 1"}, writers=["ada"])
    token = forge.token("ada", kind="classic", scopes=["repo"])
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from doubles.local_forge_browser import type_code, walk
from doubles.local_forge_contents import Content, Contents, file_bytes

from countersign.contracts.secret import Secret
from countersign.local.forge.app import Forge, build_app
from countersign.local.forge.faults import FaultPlan
from countersign.local.forge.serving import Server
from countersign.local.forge.state import pull_requests, seeding, tokens
from countersign.local.forge.state.model import (
    App,
    PullRequest,
    Repository,
    TokenKind,
)
from countersign.local.forge.state.pull_requests import Merge, Proposal
from countersign.local.forge.state.seeding import AppSeed, PersonSeed, RepositorySeed, Seed
from countersign.local.forge.state.service import Service
from countersign.local.forge.state.store import Store, now, open_store
from countersign.local.forge.state.tokens import Issued, Terms

START_TIMEOUT_S = 10.0


def free_socket() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener


@asynccontextmanager
async def running_forge(
    directory: Path,
    *,
    seed: Seed | None = None,
    clock: Callable[[], datetime] = now,
    listener: socket.socket | None = None,
) -> AsyncIterator["RunningForge"]:
    """Serve a forge on loopback until the block ends.

    Args:
        directory: its state; given again, it goes on from there.
        seed: applied before it serves.
        clock: what time it is for the forge.
        listener: a bound socket, to come back on the same port.

    """
    listener = listener or free_socket()
    origin = f"http://localhost:{listener.getsockname()[1]}"
    with open_store(directory, clock=clock) as store:
        forge = build_app(store, origin=origin)
        seeding.apply_seed(forge.service, seed or Seed())
        server = Server(forge.app, signals=False)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await server.serving.wait()
                yield RunningForge(origin=origin, forge=forge)
            finally:
                server.stop()
        listener.close()


class Access(TypedDict, total=False):
    """Who may what with a repository; `webhooks` are (url, secret)."""

    private: bool
    writers: Sequence[str]
    readers: Sequence[str]
    protected: Sequence[str]
    required_checks: Sequence[str]
    former_names: Sequence[str]
    webhooks: Sequence[tuple[str, str]]


class Registration(TypedDict, total=False):
    """An application; what is left out is made up."""

    kind: str
    client_id: str
    client_secret: str
    callbacks: Sequence[str]
    installations: Sequence[str]
    permissions: Mapping[str, str]
    public_key: str
    device_flow: bool


class PersonalToken(TypedDict, total=False):
    kind: str
    scopes: Sequence[str]
    permissions: dict[str, str] | None
    repositories: Sequence[str] | None
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RunningForge(Contents):
    origin: str
    forge: Forge

    @property
    def api(self) -> str:
        return f"{self.origin}/api/v3"

    @property
    def service(self) -> Service:
        return self.forge.service

    @property
    def store(self) -> Store:
        return self.forge.service.store

    def person(self, login: str, *, name: str = "") -> None:
        seeding.add_person(self.store, PersonSeed(login=login, name=name))

    def repository(
        self,
        full_name: str,
        files: Mapping[str, Content] | None = None,
        **access: Unpack[Access],
    ) -> Repository:
        """Make a repository, or change who may what; without files a new one is empty."""
        owner, _, name = full_name.partition("/")
        hooks = [{"url": url, "secret": secret} for url, secret in access.pop("webhooks", ())]
        seed = RepositorySeed.model_validate(
            {"owner": owner, "name": name, "webhooks": hooks, **access}
        )
        return seeding.add_repository(self.service, seed, file_bytes(files or {}))

    def app(self, **given: Unpack[Registration]) -> App:
        """Register an application and install it on repositories."""
        client_id = given.get("client_id", "Iv1.made-up")
        made_up = {
            "kind": "github-app",
            "name": "Countersign",
            "slug": f"countersign-{client_id.lower().replace('.', '-')}",
            "client_id": client_id,
            "client_secret": "made-up-secret",
            "callbacks": ("http://127.0.0.1:8080/oauth/callback/forge",),
        }
        return seeding.add_app(self.store, AppSeed.model_validate({**made_up, **given}))

    def token(self, login: str, **terms: Unpack[PersonalToken]) -> Secret:
        """A personal token: `classic` with scopes, or `fine-grained` with permissions."""
        repositories = terms.get("repositories")
        made = Terms(
            kind=TokenKind(terms.get("kind", "classic")),
            owner=login,
            scopes=tuple(terms.get("scopes", ())),
            permissions=terms.get("permissions"),
            repositories=None if repositories is None else tuple(repositories),
            expires_at=terms.get("expires_at"),
        )
        return tokens.issue(self.store, made).text

    def user_token(self, app: App, login: str) -> Issued:
        """What the web flow of a GitHub App would have given."""
        return tokens.issue_user_tokens(self.store, app, login)[0]

    def token_lives(self, text: Secret) -> bool:
        return tokens.find(self.store, text) is not None

    def living_tokens(self, login: str) -> list[TokenKind]:
        """Kinds of all tokens of a person that still work."""
        at = self.store.clock()
        return [
            token.kind
            for token in self.store.tokens
            if token.owner == login
            and not token.revoked
            and (token.expires_at is None or token.expires_at > at)
        ]

    def pulls(self, full_name: str) -> list[PullRequest]:
        """Newest first."""
        return self.store.pulls_of(self._found(full_name))

    def pull(self, full_name: str, number: int) -> PullRequest:
        found = self.store.pull(self._found(full_name), number)
        if found is None:
            raise KeyError(f"{full_name}#{number}")
        return found

    def open(
        self, full_name: str, *, head: str, by: str, base: str = "main", title: str = "Change"
    ) -> PullRequest:
        """Open a pull request as somebody did who is not the subject of the test."""
        proposal = Proposal(title=title, body="", head=head, base=base)
        return pull_requests.open_pull(self.service, self._found(full_name), proposal, by=by)

    def revoke(self, text: Secret) -> None:
        found = tokens.find(self.store, text)
        if found is not None:
            tokens.revoke(self.store, found)

    def merge(self, full_name: str, number: int, *, by: str) -> PullRequest:
        repository, pull = self._found(full_name), self.pull(full_name, number)
        return pull_requests.merge_pull(self.service, repository, pull, Merge(), by=by)

    def close(self, full_name: str, number: int, *, by: str) -> PullRequest:
        repository, pull = self._found(full_name), self.pull(full_name, number)
        return pull_requests.close_pull(self.service, repository, pull, by=by)

    def faults(self, **rule: Any) -> None:
        """Switch one fault rule on, for instance `path="*/pulls", status=502, count=1`."""
        plan = FaultPlan.model_validate({"rules": [rule]} if rule else {})
        self.forge.faults.set(plan)

    def allow_duplicates(self) -> None:
        self.forge.faults.set(FaultPlan(duplicates="allow"))

    def requests(self) -> list[dict[str, str | int]]:
        """Method, path and status of what came."""
        return self.forge.journal.requests()

    async def type_code(self, url: str, code: str, login: str, *, deny: bool = False) -> str:
        """Type a code at the page that takes it, as a person does; returns what the page says."""
        return await type_code(self.origin, url, code, login, deny=deny)

    async def authorize(self, url: str, login: str, *, deny: bool = False) -> str:
        """Walk an authorization address as a person does in a browser without JavaScript.

        Returns:
            the address at the application that the forge sends the browser back to.

        """
        return await walk(self.origin, url, login, deny=deny)
