"""What a forge's webhook says of a pull request, and which promotion that concerns.

Whatever a forge may send becomes a `Fate` with nothing odd in it, or is refused here.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ForgeUser,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestRef,
)
from countersign.contracts.promotion import Promotion
from countersign.kube.objects import integer, moment, text

# As our messages have it, and more than any forge counts to.
NUMBER_MAX: Final = 2**31 - 1
# Names of branches and users are far shorter.
TEXT_CHARACTERS_MAX: Final = 1024
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_HEADS: Final = "refs/heads/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """A pull request was closed, perhaps by merging it."""

    repository_id: str
    number: int
    head_repository_id: str
    head_branch: str
    merged: bool
    by: ForgeUser | None
    merge_commit: str
    at: datetime | None


def parse(body: bytes) -> Any:
    """
    Raises:
        Rejected: `malformed`.

    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected("malformed", "the webhook's body is not JSON") from None


def id_at(payload: Any, *path: str) -> str:
    """The id of a repository: a number with some forges, text with others.

    Raises:
        Rejected: `malformed`; it is not there.

    """
    number = integer(payload, *path)
    found = text(payload, *path) if number is None else str(number)
    if not found or not _is_sound(found):
        raise Rejected("malformed", f"the webhook lacks {'.'.join(path)}")
    return found


def number_at(payload: Any, *path: str) -> int:
    """The number of a pull request.

    Raises:
        Rejected: `malformed`; it is not there, or none that a pull request has.

    """
    number = integer(payload, *path)
    if number is None or not 0 < number <= NUMBER_MAX:
        raise Rejected("malformed", f"the webhook lacks {'.'.join(path)}")
    return number


def branch_at(payload: Any, *path: str) -> str:
    """The name of a branch that is given as a ref."""
    return text(payload, *path).removeprefix(_HEADS)


def commit_at(payload: Any, *path: str) -> str:
    found = text(payload, *path)
    return found if _COMMIT.fullmatch(found) else ""


def time_at(payload: Any, *path: str) -> datetime | None:
    found = moment(payload, *path)
    try:
        return found.astimezone(UTC) if found else None
    except OverflowError:
        return None


def user(found: str | int | None, *, login: str) -> ForgeUser | None:
    """Who did it, if the forge said so in a way that can be told further."""
    known = str(found) if found is not None else ""
    if not (known and login and _is_sound(known) and _is_sound(login)):
        return None
    return ForgeUser(id=known, login=login)


def _is_sound(found: str) -> bool:
    """Whether messages can hold it; half of a surrogate pair, legal in JSON, they cannot."""
    return len(found) <= TEXT_CHARACTERS_MAX and found.isprintable()


def is_ours(fate: Fate, ref: PullRequestRef) -> bool:
    """Whether it speaks of the very pull request that we opened."""
    return (
        fate.number == ref.number
        and bool(ref.repository_id)
        and fate.repository_id == ref.repository_id
        and fate.head_repository_id == (ref.head_repository_id or ref.repository_id)
        and fate.head_branch == (ref.head_branch or fate.head_branch)
    )


def event_of(fate: Fate, *, promotion: Promotion, ref: PullRequestRef, now: datetime) -> Message:
    if fate.merged:
        return PullRequestMerged(
            promotion=promotion.ref,
            pull_request=ref,
            by=fate.by,
            merge_commit=fate.merge_commit,
            merged_at=fate.at or now,
        )
    return PullRequestClosed(
        promotion=promotion.ref, pull_request=ref, by=fate.by, closed_at=fate.at or now
    )
