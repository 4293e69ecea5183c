"""Repositories at a forge, as a promotion needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from countersign.contracts.messages import ForgeUser
from countersign.dialects.repositories.contents import (
    Comparison,
    File,
    Folder,
    NewCommit,
    Place,
    Tip,
    TreeEntry,
)
from countersign.dialects.repositories.pulls import Pull, PullStatus, PullText


@dataclass(frozen=True, kw_only=True)
class LookScope:
    """The scope of one look at a repository.

    Args:
        head_branch: ours; its newest commit and its pull requests are brought.
        folders: paths whose entries would save a listing. A hint: none need come.
        files: paths whose bytes would save reading them. A hint: none need come.
        pulls: numbers of pull requests to bring besides; those that are gone are left out.

    """

    head_branch: str
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pulls: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class View:
    """A repository at one instant. `base` or `head` is none where there is no such branch.

    Args:
        repository_id: survives a renaming.
        viewer: whose token it is; none where the forge does not tell.
        may_write: none where the forge does not tell before it is tried.
        pulls: of our branch to our base, open or not, also from forks.
        previous: those that were asked for by number.
        open_pulls: the newest that are open to the base, whoever opened them.
        folders: by path, empty for the root; only such as belong to `base`.
        files: by path; only such as belong to `base`, or have an object id to tell by.
        read_at_s: by the forge's clock, which also dates its commits.

    """

    repository_id: str
    viewer: ForgeUser | None
    may_write: bool | None
    archived: bool
    base: Tip | None
    head: Tip | None
    pulls: tuple[Pull, ...]
    previous: tuple[Pull, ...]
    open_pulls: tuple[Pull, ...] = ()
    folders: Mapping[str, Folder] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    read_at_s: float

    @property
    def own_pulls(self) -> tuple[Pull, ...]:
        """Those whose head is in this repository: a fork may have a branch of any name."""
        return tuple(p for p in self.pulls if p.head_repository_id == self.repository_id)


class Repository(Protocol):
    """A repository at one forge, with one token, for one job.

    Every method raises `Retryable` (`rate_limited`, `forge_unavailable`) and `Rejected` with a
    `ForgeRefusal`. What a method did before it raised is found by looking again.
    """

    def reference(self, number: int) -> str:
        """Return how this forge's texts refer to a pull request: `#12`, or `!12`."""
        ...

    async def look(self, place: Place, scope: LookScope) -> View:
        """Read what the repository is like now.

        Raises:
            Rejected: `not_found`; it is not there, or the token may not see it.

        """
        ...

    async def list_tree(
        self, place: Place, *, commit: str, path: str
    ) -> tuple[TreeEntry, ...] | None:
        """List everything below a folder at a commit, with whole paths.

        The root's path is empty. Folders themselves need not be listed.

        Returns:
            None where there is no such folder.

        Raises:
            Rejected: `limit_exceeded`; the forge does not list that many.

        """
        ...

    async def read_files(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Mapping[str, File]:
        """Read the bytes at that commit, by path; without bytes where there are more than that.

        An entry without an object id is whatever is there; one with another object id than what
        is there, and what is not there, is left out.
        """
        ...

    async def commit(self, place: Place, new: NewCommit) -> str:
        """Make one commit on a new branch, and return its id. The branch is the lock.

        Of several calls for one branch, one succeeds at most. The commit is a child of
        `new.parent`, or, where a forge starts from a branch alone, of what the base branch was
        then, with every replaced file still as it was read. Where a forge commits one file at a
        time it is the last of as many commits as files; the branch has all of them or none. A
        branch without a commit of its own, left by a call that died half-way, counts as none.

        Raises:
            Rejected: `branch_taken`; `conflict` where the base moved, or a file is not what was
                read.

        """
        ...

    async def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Pull:
        """Close the pull requests that it replaces, then open one from a branch to the base.

        Where one of them cannot be closed, none stays open of this call's making.

        Raises:
            Rejected: `pull_exists`; one is open for that branch.

        """
        ...

    async def label(self, place: Place, number: int, *, labels: Sequence[str]) -> None:
        """Give it the labels that it lacks; those that came with its opening it has.

        Raises:
            Rejected: `forbidden`, by what the token may do; `not_found`, where the forge makes no
                labels and has not all of these.

        """
        ...

    async def merge_when_ready(self, place: Place, number: int, *, commit: str) -> None:
        """Have the forge merge it once its required checks pass, if its head is that commit.

        It never merges at once: a check has to be waited for. One that does so already is no error.

        Raises:
            Retryable: `not_ready`; the forge has no check of it yet, and may have one soon.
            Rejected: as well where nothing is waited for, in which case nothing is merged.

        """
        ...

    async def compare(self, place: Place, *, commit: str) -> Comparison:
        """Compare a commit with where it left the base branch."""
        ...

    async def summaries(self, place: Place, *, old: str, new: str) -> tuple[str, ...]:
        """Return the first lines of commits that `new` has and `old` has not, the newest first.

        Both may be anywhere in the repository. Of many, the newest `SUMMARIES_MAX`; none where the
        forge does not tell.

        Raises:
            Rejected: `not_found`; one of them is not there, or the token may not see it.

        """
        ...

    async def close_pull(self, place: Place, number: int, *, comment: str) -> None:
        """Close it unmerged, and say why. One that is closed already is no error."""
        ...

    async def comment(self, place: Place, number: int, *, comment: str) -> None: ...

    async def follow(self, place: Place, number: int, *, since: str) -> PullStatus | None:
        """Return what became of it; none where nothing changed since that version."""
        ...
