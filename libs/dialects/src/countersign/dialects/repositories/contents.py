"""Branches, folders, files and commits of a repository.

An object id is whatever names the bytes of a file or folder at that forge; it is empty where the
forge names none, and then nothing may be concluded from it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final

from countersign.contracts.messages import ForgeUser

# Of commits, for people who look at a pull request; the forge's page has all.
SUMMARIES_MAX: Final = 15
SUMMARY_CHARACTERS_MAX: Final = 100


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository at a forge, and the branch that pull requests go to.

    Args:
        owner: all that stands before the repository's name, with its slashes: `acme`,
            `group/subgroup`, `organization/project`. It may hold spaces; each dialect encodes it.
        repository: the repository's own name, which may hold spaces too.
        base_branch: without `refs/heads/`.

    """

    owner: str
    repository: str
    base_branch: str

    @property
    def name(self) -> str:
        return f"{self.owner}/{self.repository}"


@dataclass(frozen=True, kw_only=True)
class Tip:
    """The newest commit of a branch, dated by the forge's clock."""

    commit: str
    committed_at_s: float


class EntryKind(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    # A symbolic link, a submodule: never read, never written.
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class TreeEntry:
    """A file or folder of a repository; `size_bytes` is none where the forge does not tell."""

    path: str
    kind: EntryKind
    object_id: str = ""
    size_bytes: int | None = None
    is_executable: bool = False

    @property
    def is_file(self) -> bool:
        return self.kind is EntryKind.FILE

    @property
    def is_folder(self) -> bool:
        return self.kind is EntryKind.FOLDER


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder's entries, without what is in the folders below it."""

    object_id: str
    entries: tuple[TreeEntry, ...]


@dataclass(frozen=True, kw_only=True)
class File:
    """A file's bytes, exactly; none where there are more than were asked for."""

    object_id: str
    size_bytes: int
    body: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """New bytes for a file that is there. Its mode stays as it was.

    `replaces` is the object id of what was read, empty where the forge gave none.
    """

    body: bytes = field(repr=False)
    replaces: str = ""
    is_executable: bool = False


@dataclass(frozen=True, kw_only=True)
class NewCommit:
    """One commit on a new branch: these files, and nothing else, replaced.

    `trailers` are the last lines of its message, `Approved-by: Ada`.
    """

    branch: str
    parent: str
    headline: str
    files: Mapping[str, Replacement]
    trailers: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The message below its first line."""
        return "\n".join(self.trailers)

    @property
    def message(self) -> str:
        return f"{self.headline}\n\n{self.body}" if self.trailers else self.headline


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The difference that a commit makes to the base branch.

    Args:
        fork_point: the newest commit that both have.
        commits_ahead: how many commits the base lacks.
        each_changes_one_file: each of them one, and none of the files twice, as where a forge
            commits one file at a time.
        author: whom the forge holds for the author of the commit, where it knows.
        modified: paths of files whose bytes alone differ.
        otherwise_changed: paths that were added, removed, renamed or got another mode.

    """

    fork_point: str
    commits_ahead: int
    author: ForgeUser | None
    modified: tuple[str, ...]
    otherwise_changed: tuple[str, ...]
    each_changes_one_file: bool = False

    @property
    def is_one_change(self) -> bool:
        """True where nothing was ever on the branch but what it has now."""
        return self.commits_ahead == 1 or self.each_changes_one_file


def folders_of(listed: Mapping[str, tuple[TreeEntry, ...]], *, root: str) -> dict[str, Folder]:
    """Return folders by their paths, each with the id by which the one above it has it.

    `root` is the id of the whole tree; a folder of which nothing tells the id is left out.
    """
    ids = {e.path: e.object_id for entries in listed.values() for e in entries if e.is_folder}
    ids[""] = root
    return {
        path: Folder(object_id=ids[path], entries=entries)
        for path, entries in listed.items()
        if ids.get(path)
    }


def summaries_of(messages: Iterable[str]) -> tuple[str, ...]:
    """Return the first lines of commit messages, as many as are shown."""
    lines = (message.strip().partition("\n")[0].strip() for message in messages)
    return tuple(line[:SUMMARY_CHARACTERS_MAX] for line in islice(lines, SUMMARIES_MAX))


def blob_id(body: bytes) -> str:
    """Return git's object id of a file's bytes, SHA-1."""
    return hashlib.sha1(b"blob %d\x00" % len(body) + body, usedforsecurity=False).hexdigest()
