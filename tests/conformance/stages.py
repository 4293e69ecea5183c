"""A repository at each kind of forge that is written to, and what others do there beside us."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import httpx2
from conformance.checking import CheckingTransport
from conformance.doubles import DOUBLES
from doubles.forge.asgi import ForgeApi
from doubles.forge.double import Wire
from doubles.forge.git import EXECUTABLE, LINK
from doubles.forge.state import Repository as SmallRepository
from doubles.forge.state import SmallForge
from doubles.local_forge import RunningForge, running_forge

from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.interface import Repository
from countersign.forges.clients import repository_client
from countersign.forges.http import ForgeHttp
from countersign.local.forge.git import branching, objects
from countersign.local.forge.git.objects import Identity, NewCommit

Content = str | bytes
OWNER, NAME = "acme", "fleet"
FULL_NAME = f"{OWNER}/{NAME}"
PLACE = Place(owner=OWNER, repository=NAME, base_branch="main")
FILES: Mapping[str, Content] = {
    "README.md": "# fleet\n",
    "apps/prod/release.yaml": "version: 6.8.0 # here\n",
    "apps/prod/crlf.yaml": b"\xef\xbb\xbfa: 1\r\nb: 2\r\n",
    "apps/prod/latin.yaml": b"name: caf\xe9\n",
    "apps/k\u00f6ln/\u00fcbersicht 100% #1.yaml": "version: 6.8.0\n",
    "apps/prod/empty.yaml": b"",
}
SCRIPT, LINKED = "scripts/run.yaml", "apps/prod/current.yaml"
WRITER, READER, OTHER = "ada", "olga", "grace"


@dataclass(frozen=True)
class PullSeen:
    """A pull request as the forge itself has it."""

    state: str
    title: str
    body: str
    comments: tuple[str, ...]
    author: str
    labels: tuple[str, ...] = ()
    draft: bool = False
    auto_merge_by: str = ""
    # Empty while it is open, and of one that was closed.
    merged_by: str = ""


class Stage(Protocol):
    """One forge with one repository, `FILES` in it, `WRITER` and `READER`."""

    @property
    def kind(self) -> str: ...

    @property
    def wire(self) -> Wire: ...

    @property
    def transport(self) -> CheckingTransport: ...

    @property
    def http(self) -> ForgeHttp: ...

    @property
    def tells_modes(self) -> bool: ...

    def client(self, *, who: str = WRITER, token: str = "") -> Repository:
        """Return a client with somebody's token, or one that says nothing to the forge."""
        ...

    def push(self, branch: str, files: Mapping[str, Content | None], *, by: str = OTHER) -> str:
        """Commit past all rules; a new branch begins at the base."""
        ...

    def point(self, branch: str, commit: str) -> None:
        """Make a branch without a commit of its own."""
        ...

    def make_empty(self) -> Place: ...

    def archive(self) -> None: ...

    def label(self, *names: str) -> None:
        """Let the repository have labels, where the forge makes none by itself."""
        ...

    def head(self, branch: str) -> str: ...

    def files(self, revision: str) -> Mapping[str, tuple[str, bytes]]: ...

    def author(self, revision: str) -> str: ...

    def message(self, revision: str) -> str: ...

    def open(self, head: str, *, base: str = "main", by: str = OTHER) -> int: ...

    def open_from_fork(self, head: str) -> int:
        """Open a pull request whose branch, of that name, is in another's repository."""
        ...

    def merge(self, number: int, *, by: str = OTHER) -> None: ...

    def close(self, number: int, *, by: str = OTHER) -> None: ...

    def pull(self, number: int) -> PullSeen: ...

    def require(self, check: str) -> None:
        """Let nobody merge into the base before that check has passed."""
        ...

    async def report(self, commit: str, check: str, state: str) -> None:
        """Report a check of a commit, as a CI does: `pending`, `success` or `failure`."""
        ...


@dataclass
class SmallStage:
    """Any kind but GitHub, on a transport."""

    kind: str
    wire: Wire
    api: ForgeApi
    repository: SmallRepository
    transport: CheckingTransport
    http: ForgeHttp
    tokens: dict[str, str] = field(default_factory=dict)
    tells_modes: bool = True

    def client(self, *, who: str = WRITER, token: str = "") -> Repository:
        return repository_client(self.http, Secret(token or self.tokens[who]))

    @property
    def forge(self) -> SmallForge:
        return self.api.forge

    def push(self, branch: str, files: Mapping[str, Content | None], *, by: str = OTHER) -> str:
        return self.forge.push(self.repository, branch, files, by=by, onto="main").oid

    def point(self, branch: str, commit: str) -> None:
        self.repository.git.branches[branch] = commit

    def make_empty(self) -> Place:
        self.forge.repository(f"{OWNER}/empty", None, WRITER)
        return Place(owner=OWNER, repository="empty", base_branch="main")

    def archive(self) -> None:
        self.repository.archived = True

    def label(self, *names: str) -> None:
        self.repository.labels.update(names)

    def head(self, branch: str) -> str:
        return self.repository.git.branches.get(branch, "")

    def files(self, revision: str) -> Mapping[str, tuple[str, bytes]]:
        found = self.repository.git.find(revision)
        return found.files if found else {}

    def author(self, revision: str) -> str:
        return self.repository.git.commits[revision].author

    def message(self, revision: str) -> str:
        return self.repository.git.commits[revision].message

    def open(self, head: str, *, base: str = "main", by: str = OTHER) -> int:
        return self.forge.open(self.repository, head=head, base=base, by=by).number

    def open_from_fork(self, head: str) -> int:
        fork = self.forge.repository(f"{READER}/{NAME}", FILES, READER)
        self.forge.push(fork, head, {"README.md": "# ours now\n"}, by=READER)
        return self.forge.open(self.repository, head=head, by=READER, source=fork).number

    def merge(self, number: int, *, by: str = OTHER) -> None:
        self.forge.merge(self.repository, number, by=by)

    def close(self, number: int, *, by: str = OTHER) -> None:
        self.forge.close(self.repository, number, by=by)

    def pull(self, number: int) -> PullSeen:
        found = self.repository.pulls[number]
        said = tuple(text for n, _, text in self.repository.comments if n == number)
        marks = found.labels, found.draft, found.auto_merge_by
        merged_by = found.ended_by if found.merge_commit else ""
        return PullSeen(found.state, found.title, found.body, said, found.author, *marks, merged_by)

    def require(self, check: str) -> None:
        self.repository.required.add(check)

    async def report(self, commit: str, check: str, state: str) -> None:
        self.forge.report(self.repository, commit, check, state)


@asynccontextmanager
async def small_stage(kind: str) -> AsyncIterator[SmallStage]:
    forge = SmallForge(kind)
    contents: dict[str, str | bytes | tuple[str, bytes]] = {
        **FILES,
        SCRIPT: (EXECUTABLE, b"version: 6.8.0\n"),
        LINKED: (LINK, b"release.yaml"),
    }
    repository = forge.repository(FULL_NAME, contents, WRITER, OTHER)
    repository.readers.add(READER)
    double = DOUBLES[kind]
    api = double.api(forge, None)
    transport = CheckingTransport(httpx2.ASGITransport(app=api), vendor=double.vendor)  # type: ignore[arg-type]
    entry = Forge.model_validate(
        {
            "name": "Ours",
            "kind": kind,
            "origin": "https://forge.test",
            "api": f"https://forge.test{double.api_path}",
        }
    )
    async with ForgeHttp(entry, transport=transport) as http:
        yield SmallStage(
            kind=kind,
            wire=double.wire,
            api=api,
            repository=repository,
            transport=transport,
            http=http,
            tokens={
                WRITER: forge.token(WRITER, *double.scopes, *double.labelling),
                READER: forge.token(READER, *double.scopes),
                OTHER: forge.token(OTHER, *double.scopes, *double.commenting),
            },
            tells_modes=double.tells_modes,
        )


GITHUB_WIRE = Wire(
    repository=("POST", "repository"),
    commit=("POST", "createCommitOnBranch"),
    close=("POST", "closePullRequest"),
    wrong=(
        ("POST", f"/repos/{FULL_NAME}/pulls", {"title": 5, "head": [], "base": "main"}),
        ("POST", f"/repos/{FULL_NAME}/nonsense", {"title": "x"}),
    ),
)


@dataclass
class GitHubStage:
    """The local forge, which speaks GitHub's API, over real HTTP."""

    running: RunningForge
    transport: CheckingTransport
    http: ForgeHttp
    kind: str = "github"
    tells_modes: bool = True
    # Of GraphQL, a part of the document.
    wire: Wire = GITHUB_WIRE

    def client(self, *, who: str = WRITER, token: str = "") -> Repository:
        made = Secret(token) if token else self.running.token(who, scopes=["repo"])
        return repository_client(self.http, made)

    def push(self, branch: str, files: Mapping[str, Content | None], *, by: str = OTHER) -> str:
        return self.running.commit(FULL_NAME, files, branch=branch, by=by)

    def point(self, branch: str, commit: str) -> None:
        objects.set_ref(self._git, branching.HEADS + branch, old=None, new=commit)

    def make_empty(self) -> Place:
        self.running.repository(f"{OWNER}/empty", writers=[WRITER])
        return Place(owner=OWNER, repository="empty", base_branch="main")

    def archive(self) -> None:
        """The local forge has no archive; of the answer that is what tells of it."""
        self.transport.edit = lambda body: body.replace(b'"isArchived":false', b'"isArchived":true')

    def label(self, *names: str) -> None:
        pass

    @property
    def _git(self):  # type: ignore[no-untyped-def] # noqa: ANN202 - dulwich's own type
        owner, _, name = FULL_NAME.partition("/")
        found = self.running.store.repository(owner, name)
        assert found is not None
        return self.running.store.git(found)

    def head(self, branch: str) -> str:
        return self.running.head(FULL_NAME, branch) or ""

    def add_modes(self) -> None:
        """An executable file and a symbolic link, which its own helpers do not write."""
        git = self._git
        head = self.head("main")
        changes: dict[str, tuple[int, str] | None] = {
            SCRIPT: (int(EXECUTABLE, 8), objects.write_blob(git, b"version: 6.8.0\n")),
            LINKED: (int(LINK, 8), objects.write_blob(git, b"release.yaml")),
        }
        tree = objects.write_tree(git, objects.tree_of(git, head), changes)
        who = Identity(name="seed", email="seed@localhost", when=self.running.store.clock())
        made = objects.write_commit(
            git,
            NewCommit(tree=tree, parents=[head], author=who, committer=who, message="Modes"),
        )
        objects.set_ref(git, f"{branching.HEADS}main", old=head, new=made)

    def files(self, revision: str) -> Mapping[str, tuple[str, bytes]]:
        tree = objects.tree_of(self._git, revision)
        assert tree is not None
        found = {}
        for entry in objects.entries(self._git, tree, recursive=True):
            blob = objects.lookup(self._git, entry.sha)
            if entry.type == "blob" and blob is not None:
                found[entry.path] = (f"{entry.mode:06o}", blob.as_raw_string())
        return found

    def author(self, revision: str) -> str:
        return self.running.author(FULL_NAME, revision).partition(" ")[0]

    def message(self, revision: str) -> str:
        text: bytes = self._git[revision.encode()].message
        return text.decode()

    def open(self, head: str, *, base: str = "main", by: str = OTHER) -> int:
        return self.running.open(FULL_NAME, head=head, base=base, by=by).number

    def open_from_fork(self, head: str) -> int:
        fork = self.running.repository(f"{READER}/{NAME}", FILES, writers=[READER])
        self.push(head, {"README.md": "# ours now\n"}, by=READER)
        number = self.open(head, by=READER)
        moved = replace(self.running.pull(FULL_NAME, number), head_repository_id=fork.id)
        store = self.running.store
        ours = store.repository(OWNER, NAME)
        assert ours is not None
        store.save_pull(ours, moved)
        del self._git.refs[f"{branching.HEADS}{head}".encode()]
        return number

    def merge(self, number: int, *, by: str = OTHER) -> None:
        self.running.merge(FULL_NAME, number, by=by)

    def close(self, number: int, *, by: str = OTHER) -> None:
        self.running.close(FULL_NAME, number, by=by)

    def pull(self, number: int) -> PullSeen:
        found = self.running.pull(FULL_NAME, number)
        said = tuple(c.body for c in self.running.store.comments if c.number == number)
        state = "open" if found.is_open else "closed"
        marks = found.labels, found.draft, found.auto_merge_by
        return PullSeen(
            state, found.title, found.body, said, found.author, *marks, found.merged_by or ""
        )

    def require(self, check: str) -> None:
        self.running.repository(
            FULL_NAME, writers=[WRITER, OTHER], readers=[READER], required_checks=[check]
        )

    async def report(self, commit: str, check: str, state: str) -> None:
        token = self.running.token(OTHER, scopes=["repo"])
        async with httpx2.AsyncClient(trust_env=False) as ci:
            answer = await ci.post(
                f"{self.running.api}/repos/{FULL_NAME}/statuses/{commit}",
                json={"state": state, "context": check},
                headers={"authorization": f"Bearer {token.reveal()}"},
            )
        assert answer.status_code == 201, answer.text


@asynccontextmanager
async def github_stage(directory: Path) -> AsyncIterator[GitHubStage]:
    async with running_forge(directory) as running:
        for login in (WRITER, READER, OTHER):
            running.person(login)
        running.repository(FULL_NAME, FILES, writers=[WRITER, OTHER], readers=[READER])
        transport = CheckingTransport(
            httpx2.AsyncHTTPTransport(),
            vendor="github",
            also=("github-ghes-3.19",),
            graphql="/api/graphql",
        )
        entry = Forge.model_validate(
            {"name": "Ours", "kind": "github", "origin": running.origin, "api": running.api}
        )
        async with ForgeHttp(entry, transport=transport) as http:
            stage = GitHubStage(running=running, transport=transport, http=http)
            stage.add_modes()
            yield stage


def stage_of(kind: str, directory: Path) -> AbstractAsyncContextManager[Stage]:
    return github_stage(directory) if kind == "github" else small_stage(kind)
