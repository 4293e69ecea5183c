"""A small forge of any kind: people, tokens, repositories, pull requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from doubles.forge.git import FILE, Commit, Files, Git

Content = str | bytes | tuple[str, bytes]
NOW: Final = datetime(2026, 11, 30, 9, tzinfo=UTC)


@dataclass
class Pull:
    number: int
    title: str
    body: str
    base: str
    head: str
    head_repository: "Repository"
    author: str
    commit: str
    state: str = "open"
    merge_commit: str = ""
    ended_by: str = ""
    ended_at: datetime | None = None
    updates: int = 0
    labels: tuple[str, ...] = ()
    draft: bool = False
    # Who had it merged once its checks pass.
    auto_merge_by: str = ""


@dataclass
class Repository:
    id: int
    owner: str
    name: str
    git: Git = field(default_factory=Git)
    archived: bool = False
    takes_pulls: bool = True
    # Names of its labels, where a pull request is given no other.
    labels: set[str] = field(default_factory=set)
    private: bool = True
    writers: set[str] = field(default_factory=set)
    readers: set[str] = field(default_factory=set)
    # Names that new branches may not begin with.
    protected: set[str] = field(default_factory=set)
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: list[tuple[int, str, str]] = field(default_factory=list)
    # Names of checks without which nothing is merged.
    required: set[str] = field(default_factory=set)
    # The check that begins with each new pull request, if one does.
    begins: str = ""
    # By commit, the newest state of each check: `pending`, `success`, `failure`.
    checks: dict[str, dict[str, str]] = field(default_factory=dict)

    def passes(self, commit: str) -> bool:
        """Tell whether nothing is waited for: also where nothing is required or reported."""
        reported = self.checks.get(commit, {})
        names = self.required or reported.keys()
        return all(reported.get(name) == "success" for name in names)


@dataclass(frozen=True)
class Token:
    """`ended` says how, as `revoked`; empty while it is good."""

    login: str
    scopes: frozenset[str]
    ended: str = ""


def files_of(contents: Mapping[str, Content]) -> Files:
    def one(content: Content) -> tuple[str, bytes]:
        if isinstance(content, tuple):
            return content
        return FILE, content.encode() if isinstance(content, str) else content

    return {path: one(content) for path, content in contents.items()}


class SmallForge:
    """What is there, and what people do there beside us.

    Args:
        kind: as on the forge list.

    """

    def __init__(self, kind: str, *, clock: Callable[[], datetime] = lambda: NOW) -> None:
        self.kind = kind
        self.clock = clock
        self.people: dict[str, int] = {}
        self.tokens: dict[str, Token] = {}
        # Of those that people or projects made for themselves, what the forge tells besides.
        self.personal: dict[str, dict[str, object]] = {}
        self.repositories: dict[str, Repository] = {}

    def person(self, login: str) -> int:
        return self.people.setdefault(login, len(self.people) + 1)

    def token(self, login: str, *scopes: str) -> str:
        self.person(login)
        text = f"{len(self.tokens) + 1:040x}"
        self.tokens[text] = Token(login, frozenset(scopes))
        return text

    def repository(
        self, full_name: str, contents: Mapping[str, Content] | None = None, *writers: str
    ) -> Repository:
        """Make a repository; without contents it is empty."""
        owner, _, name = full_name.partition("/")
        made = Repository(
            id=len(self.repositories) + 1, owner=owner, name=name, writers=set(writers)
        )
        self.repositories[full_name.lower()] = made
        self.person(owner)
        if contents is not None:
            self.push(made, "main", contents, by="seed")
        return made

    def push(
        self,
        repository: Repository,
        branch: str,
        contents: Mapping[str, Content | None],
        *,
        by: str,
        onto: str = "",
    ) -> Commit:
        """Commit changes to a branch; a new one begins at `onto`, and null removes a file."""
        before = repository.git.find(branch) or repository.git.find(onto)
        files = dict(before.files) if before else {}
        files |= files_of({p: c for p, c in contents.items() if c is not None})
        for path in (p for p, c in contents.items() if c is None):
            del files[path]
        made = repository.git.commit(
            files,
            parents=(before.oid,) if before else (),
            message="Change",
            author=by,
            at=self.clock() - timedelta(hours=1),
        )
        repository.git.branches[branch] = made.oid
        return made

    def open(
        self,
        repository: Repository,
        *,
        head: str,
        by: str,
        base: str = "main",
        source: Repository | None = None,
        title: str = "Change",
    ) -> Pull:
        source = source or repository
        number = len(repository.pulls) + 1
        pull = Pull(
            number=number,
            title=title,
            body="",
            base=base,
            head=head,
            head_repository=source,
            author=by,
            commit=source.git.branches[head],
        )
        repository.pulls[number] = pull
        if repository.begins:
            self.report(repository, pull.commit, repository.begins, "pending")
        return pull

    def merge(self, repository: Repository, number: int, *, by: str) -> None:
        """Merge it, and delete its branch as many repositories do."""
        pull = repository.pulls[number]
        git = repository.git
        made = git.commit(
            {**git.commits[git.branches[pull.base]].files, **git.commits[pull.commit].files},
            parents=(git.branches[pull.base], pull.commit),
            message="Merge",
            author=by,
            at=self.clock(),
        )
        git.branches[pull.base] = made.oid
        pull.head_repository.git.branches.pop(pull.head, None)
        pull.merge_commit = made.oid
        self._end(pull, by=by)

    def report(self, repository: Repository, commit: str, check: str, state: str) -> None:
        """Report a check, as a CI does, and merge what waited for it."""
        repository.checks.setdefault(commit, {})[check] = state
        for pull in repository.pulls.values():
            if pull.state == "open" and pull.commit == commit and pull.auto_merge_by:
                self.merge_or_wait(repository, pull, by=pull.auto_merge_by)

    def merge_or_wait(self, repository: Repository, pull: Pull, *, by: str) -> None:
        """Merge it as soon as nothing is waited for, which may be at once."""
        pull.auto_merge_by = by
        if repository.passes(pull.commit):
            self.merge(repository, pull.number, by=by)

    def close(self, repository: Repository, number: int, *, by: str) -> None:
        self._end(repository.pulls[number], by=by)

    def _end(self, pull: Pull, *, by: str) -> None:
        pull.state, pull.ended_by, pull.ended_at = "closed", by, self.clock()
        pull.updates += 1
