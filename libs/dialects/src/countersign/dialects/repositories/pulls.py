"""Pull requests of a repository. A number is a pull request's own, unique in its repository."""

from dataclasses import dataclass
from enum import StrEnum

from countersign.contracts.messages import ForgeUser


class PullState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True, kw_only=True)
class Pull:
    """A pull request as the forge has it.

    `head_repository_id` is empty where that repository is gone; `ended_by`, `ended_at_s` and
    `merge_commit` are empty while it is open, and where the forge does not tell.
    """

    number: int
    state: PullState
    head_branch: str
    head_commit: str
    base_branch: str
    head_repository_id: str
    author: ForgeUser | None = None
    title: str = ""
    merge_commit: str = ""
    ended_by: ForgeUser | None = None
    ended_at_s: float | None = None


class Readiness(StrEnum):
    """The distance of an open pull request from being merged."""

    UNKNOWN = "unknown"
    READY = "ready"
    BLOCKED = "blocked"
    BEHIND = "behind"
    CONFLICTING = "conflicting"
    UNSTABLE = "unstable"
    DRAFT = "draft"


@dataclass(frozen=True, kw_only=True)
class PullStatus:
    """The fate of a pull request. `version` is given back for the next question."""

    state: PullState
    readiness: Readiness = Readiness.UNKNOWN
    ended_by: ForgeUser | None = None
    ended_at_s: float | None = None
    merge_commit: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class PullText:
    """Title and body of a pull request, and how it is marked where the forge can do that.

    Args:
        labels: names of labels; one that the repository lacks is made, where the forge does so.
        draft: it cannot be merged until somebody says that it is ready.

    """

    title: str
    body: str
    labels: tuple[str, ...] = ()
    draft: bool = False
