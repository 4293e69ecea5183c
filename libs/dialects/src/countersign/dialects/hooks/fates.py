"""The fate of a pull request, as a forge's webhook tells it.

Whatever a forge may send becomes a `Fate` with nothing odd in it, or is refused here.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.dialects.hooks.refusals import HookRefusal
from countersign.dialects.shapes import NUMBER_MAX, Json, integer_at, text_at

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
    """Return the body of a webhook as JSON.

    Raises:
        Rejected: `malformed`.

    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected(HookRefusal.MALFORMED, "the webhook's body is not JSON") from None


def id_at(payload: Json, *path: str) -> str:
    """Return the id of a repository: a number with some forges, text with others.

    Raises:
        Rejected: `malformed`; it is not there.

    """
    found = maybe_id_at(payload, *path)
    if not found or not _is_sound(found):
        raise Rejected(HookRefusal.MALFORMED, f"the webhook lacks {'.'.join(path)}")
    return found


def maybe_id_at(payload: Json, *path: str) -> str:
    """Return the same, or nothing for a repository that is gone."""
    number = integer_at(payload, *path)
    return text_at(payload, *path) if number is None else str(number)


def number_at(payload: Json, *path: str) -> int:
    """Return the number of a pull request.

    Raises:
        Rejected: `malformed`; it is not there, or none that a pull request has.

    """
    number = integer_at(payload, *path)
    if number is None or not 0 < number <= NUMBER_MAX:
        raise Rejected(HookRefusal.MALFORMED, f"the webhook lacks {'.'.join(path)}")
    return number


def branch_at(payload: Json, *path: str) -> str:
    """Return the name of a branch that is given as a ref."""
    return text_at(payload, *path).removeprefix(_HEADS)


def commit_at(payload: Json, *path: str) -> str:
    found = text_at(payload, *path)
    return found if _COMMIT.fullmatch(found) else ""


def user(found: str | int | None, *, login: str) -> ForgeUser | None:
    """Return who did it, if the forge said so in a way that can be told further."""
    known = str(found) if found is not None else ""
    if not (known and login and _is_sound(known) and _is_sound(login)):
        return None
    return ForgeUser(id=known, login=login)


def _is_sound(found: str) -> bool:
    """Check that messages can hold it; half of a surrogate pair, legal in JSON, they cannot."""
    return len(found) <= TEXT_CHARACTERS_MAX and found.isprintable()
