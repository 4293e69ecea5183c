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
from dataclasses import dataclass, replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2

from countersign.contracts.secret import Secret
from countersign.local.forge import branching, git_objects, pulling, seeding, tokens
from countersign.local.forge.app import Forge, build_app
from countersign.local.forge.faults import FaultPlan, parse_plan
from countersign.local.forge.git_objects import Identity
from countersign.local.forge.model import (
    App,
    PullRequest,
    Repository,
    TokenKind,
)
from countersign.local.forge.pulling import Merge, Proposal
from countersign.local.forge.seeding import AppSeed, HookSeed, PersonSeed, RepositorySeed, Seed
from countersign.local.forge.service import Service
from countersign.local.forge.serving import Server
from countersign.local.forge.sign_in_pages import PASSWORD
from countersign.local.forge.store import Store, now, open_store
from countersign.local.forge.tokens import Issued, Terms

START_TIMEOUT_S = 10.0
BROWSER_TIMEOUT_S = 10.0
REDIRECTS_MAX = 10
Content = str | bytes


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
                server.should_exit = True
        listener.close()


@dataclass(frozen=True, kw_only=True)
class RunningForge:
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
        *,
        private: bool = True,
        writers: Sequence[str] = (),
        readers: Sequence[str] = (),
        protected: Sequence[str] = (),
        webhooks: Sequence[tuple[str, str]] = (),
    ) -> Repository:
        """Make a repository; without files it is empty. `webhooks` are (url, secret)."""
        owner, _, name = full_name.partition("/")
        seed = RepositorySeed(
            owner=owner,
            name=name,
            private=private,
            writers=tuple(writers),
            readers=tuple(readers),
            protected=tuple(protected),
            webhooks=tuple(HookSeed(url=url, secret=secret) for url, secret in webhooks),
        )
        return seeding.add_repository(self.service, seed, _bytes(files or {}))

    def app(
        self,
        *,
        kind: str = "github-app",
        client_id: str = "Iv1.made-up",
        client_secret: str = "made-up-secret",  # noqa: S107 - made up
        callbacks: Sequence[str] = ("http://127.0.0.1:8080/oauth/callback/forge",),
        installations: Sequence[str] = (),
        public_key: str = "",
    ) -> App:
        """Register an application and install it on repositories."""
        seed = AppSeed.model_validate(
            {
                "kind": kind,
                "name": "Countersign",
                "slug": f"countersign-{client_id.lower().replace('.', '-')}",
                "client_id": client_id,
                "client_secret": client_secret,
                "callbacks": tuple(callbacks),
                "installations": tuple(installations),
                "public_key": public_key,
            }
        )
        return seeding.add_app(self.store, seed)

    def token(
        self,
        login: str,
        *,
        kind: str = "classic",
        scopes: Sequence[str] = (),
        permissions: dict[str, str] | None = None,
        repositories: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Secret:
        """A personal token: `classic` with scopes, or `fine-grained` with permissions."""
        terms = Terms(
            kind=TokenKind(kind),
            owner=login,
            scopes=tuple(scopes),
            permissions=permissions,
            repositories=None if repositories is None else tuple(repositories),
            expires_at=expires_at,
        )
        return tokens.issue(self.store, terms).text

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

    def _found(self, full_name: str) -> Repository:
        owner, _, name = full_name.partition("/")
        found = self.store.repository(owner, name)
        if found is None:
            raise KeyError(full_name)
        return found

    def git_dir(self, full_name: str) -> Path:
        return self.store.git_dir(self._found(full_name))

    def head(self, full_name: str, branch: str = "main") -> str | None:
        """The commit that a branch points to."""
        return git_objects.branch_sha(self.store.git(self._found(full_name)), branch)

    def read(self, full_name: str, path: str, *, revision: str = "main") -> bytes | None:
        """A file's bytes at a branch or commit."""
        repo = self.store.git(self._found(full_name))
        tree = git_objects.tree_of(repo, revision)
        found = git_objects.entry_at(repo, tree, path) if tree else None
        blob = git_objects.lookup(repo, found[1]) if found else None
        return blob.as_raw_string() if blob else None

    def author(self, full_name: str, revision: str) -> str:
        """Name and address that a commit gives its author."""
        commit = git_objects.commit_of(self.store.git(self._found(full_name)), revision)
        return commit.author.decode() if commit else ""

    def commit(
        self,
        full_name: str,
        files: Mapping[str, Content | None],
        *,
        branch: str = "main",
        by: str = "somebody",
    ) -> str:
        """Commit past all rules, as a push by path would; makes the branch from main if needed."""
        repository = self._found(full_name)
        repo = self.store.git(repository)
        ref, head = branching.HEADS + branch, git_objects.branch_sha(repo, branch)
        start = head or git_objects.branch_sha(repo, repository.default_branch)
        base = git_objects.tree_of(repo, start) if start else None
        changes: dict[str, tuple[int, str] | None] = {
            path: None
            if content is None
            else (git_objects.MODE_FILE, git_objects.write_blob(repo, _byte(content)))
            for path, content in files.items()
        }
        who = Identity(name=by, email=f"{by}@localhost", when=self.store.clock())
        sha = git_objects.write_commit(
            repo,
            tree=git_objects.write_tree(repo, base, changes),
            parents=[start] if start else [],
            author=who,
            committer=who,
            message="Change by hand",
        )
        git_objects.set_ref(repo, ref, old=head, new=sha)
        change = branching.Change(ref=ref, before=head, after=sha)
        branching.after_change(self.service, repository, change, by)
        return sha

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
        return pulling.open_pull(self.service, self._found(full_name), proposal, by=by)

    def adopt(self, full_name: str, number: int, *, head_repository_id: int) -> PullRequest:
        """Let a pull request come from another repository, as from a fork."""
        pull = replace(self.pull(full_name, number), head_repository_id=head_repository_id)
        return self.store.save_pull(self._found(full_name), pull)

    def revoke(self, text: Secret) -> None:
        found = tokens.find(self.store, text)
        if found is not None:
            tokens.revoke(self.store, found)

    def merge(self, full_name: str, number: int, *, by: str) -> PullRequest:
        repository, pull = self._found(full_name), self.pull(full_name, number)
        return pulling.merge_pull(self.service, repository, pull, Merge(), by=by)

    def close(self, full_name: str, number: int, *, by: str) -> PullRequest:
        repository, pull = self._found(full_name), self.pull(full_name, number)
        return pulling.close_pull(self.service, repository, pull, by=by)

    def faults(self, **rule: Any) -> None:
        """Switch one fault rule on, for instance `path="*/pulls", status=502, count=1`."""
        plan = FaultPlan.model_validate({"rules": [rule]} if rule else {})
        self.forge.faults.set(plan)

    def fault_plan(self, body: bytes) -> None:
        self.forge.faults.set(parse_plan(body))

    def no_faults(self) -> None:
        self.forge.faults.set(FaultPlan())

    def allow_duplicates(self) -> None:
        self.forge.faults.set(FaultPlan(duplicates="allow"))

    def requests(self) -> list[dict[str, str | int]]:
        """Method, path and status of what came."""
        return self.forge.journal.requests()

    async def authorize(self, url: str, login: str, *, deny: bool = False) -> str:
        """Walk an authorization address as a person does in a browser without JavaScript.

        Returns:
            the address at the application that the forge sends the browser back to.

        """
        async with httpx2.AsyncClient(
            base_url=self.origin, timeout=BROWSER_TIMEOUT_S, trust_env=False
        ) as browser:
            answer = await browser.get(url)
            for _ in range(REDIRECTS_MAX):
                if answer.status_code // 100 == 3:  # noqa: PLR2004 - redirects
                    location = answer.headers["location"]
                    if not location.startswith(("/", self.origin)):
                        return str(location)
                    answer = await browser.get(location)
                    continue
                answer = await _submit(browser, answer, login, deny=deny)
        raise AssertionError("the forge sent the browser in circles")


async def _submit(
    browser: httpx2.AsyncClient, answer: httpx2.Response, login: str, *, deny: bool
) -> httpx2.Response:
    """Fill the form of a page, which is the one of signing in or the one of consent."""
    form = read_form(answer.text)
    if form is None:
        raise AssertionError(f"no form on {answer.request.url.path}: {answer.status_code}")
    fields = dict(form.fields)
    if "password" in form.names:
        fields |= {"login": login, "password": PASSWORD}
    else:
        fields["authorize"] = "0" if deny else "1"
    headers = {"origin": f"{answer.request.url.scheme}://{answer.request.url.netloc.decode()}"}
    return await browser.post(form.action or str(answer.request.url), data=fields, headers=headers)


@dataclass(frozen=True)
class Form:
    action: str
    fields: dict[str, str]
    names: frozenset[str]


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str], set[str]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = True
            self.forms.append((given.get("action", ""), {}, set()))
        elif tag in {"input", "button"} and self._inside and "name" in given:
            _, fields, names = self.forms[-1]
            names.add(given["name"])
            if given.get("type") == "hidden":
                fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def read_form(page: str) -> Form | None:
    """The page's own form, past the one that signs out."""
    reader = _FormReader()
    reader.feed(page)
    forms = [form for form in reader.forms if form[0] != "/logout"]
    if not forms:
        return None
    action, fields, names = forms[0]
    return Form(action, fields, frozenset(names))


def _byte(content: Content) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _bytes(files: Mapping[str, Content]) -> dict[str, bytes]:
    return {path: _byte(content) for path, content in files.items()}
