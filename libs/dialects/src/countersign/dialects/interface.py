"""What the pull request's writer needs of a forge, in no forge's own words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from countersign.contracts.messages import ForgeUser


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository at a forge, and the branch that pull requests go to."""

    owner: str
    repository: str
    base_branch: str

    @property
    def name(self) -> str:
        return f"{self.owner}/{self.repository}"


@dataclass(frozen=True, kw_only=True)
class Tip:
    """The newest commit of a branch."""

    commit: str
    tree: str
    parents: tuple[str, ...]
    committed_at_s: float


class PullState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True, kw_only=True)
class Pull:
    """A pull request as the forge has it. `handle` is the forge's own name for it."""

    handle: str
    number: int
    state: PullState
    head_branch: str
    head_commit: str
    base_branch: str
    head_repository_id: str
    author: ForgeUser | None = None
    merge_commit: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a folder or of a whole tree; `size_bytes` is -1 where the forge does not tell."""

    path: str
    oid: str
    is_folder: bool
    is_file: bool
    size_bytes: int = -1


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder's object id and its lines, without what is in folders below."""

    oid: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A file's object id and, where the forge gave it exactly, its bytes."""

    oid: str
    size_bytes: int
    body: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What one look at a repository is to bring along."""

    head_branch: str
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pulls: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class View:
    """A repository at one instant. `base` or `head` is none where there is no such branch.

    `pulls` are of our branch, `previous` those asked for, `open_pulls` the newest that are open to
    the base, whoever opened them.
    """

    repository_id: str
    handle: str
    viewer: ForgeUser | None
    may_write: bool
    archived: bool
    base: Tip | None
    head: Tip | None
    pulls: tuple[Pull, ...]
    previous: tuple[Pull, ...]
    folders: Mapping[str, Folder]
    files: Mapping[str, Blob]
    read_at_s: float
    open_pulls: tuple[Pull, ...] = ()

    @property
    def own_pulls(self) -> tuple[Pull, ...]:
        """Those whose head is in this repository: a fork may have a branch of any name."""
        return tuple(p for p in self.pulls if p.head_repository_id == self.repository_id)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One commit on a new branch. `closes` are handles of pull requests to close before it."""

    handle: str
    head_branch: str
    parent: str
    headline: str
    files: Mapping[str, bytes]
    closes: tuple[str, ...] = ()
    creates_branch: bool = True


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What lies between a commit and where it left another; files are path → blob id."""

    fork_point: str
    commits_ahead: int
    modified: Mapping[str, str]
    otherwise_changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Text:
    """Title and body of a pull request."""

    title: str
    body: str


class RepositoryWriter(Protocol):
    """A repository, written to with one token."""

    async def look(self, place: Place, wanted: Wanted) -> View: ...

    async def list_tree(self, place: Place, *, oid: str) -> tuple[Entry, ...]: ...

    async def read_blobs(
        self, place: Place, *, commit: str, files: Sequence[Entry], bytes_max: int
    ) -> Mapping[str, Blob]:
        """Exact bytes at that commit, by path; without bytes where there are more than that.

        An entry without an object id is whatever is there. What is not there is left out.
        """
        ...

    async def commit(self, change: Change, *, place: Place) -> str:
        """The new commit's id.

        Raises:
            Rejected: `branch_taken`; the branch was there, and nothing is to be opened.

        """
        ...

    async def open_pull(self, place: Place, *, view: View, head: str, text: Text) -> Pull: ...

    async def compare(self, place: Place, *, base: str, head: str) -> Comparison: ...

    async def close_pull(self, pull: Pull, *, comment: str) -> None: ...

    async def comment(self, pull: Pull, *, comment: str) -> None: ...
