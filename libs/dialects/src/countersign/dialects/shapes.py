"""Parts of a forge's JSON, by name and type.

Of an answer whatever else is there is `bad_answer`; of a webhook, which says more than we read, it
is absent. Plain functions, because a tree has a hundred thousand lines.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.wire.times import plausible
from countersign.dialects.refusals import ForgeRefusal

# As our messages have it, GraphQL's Int too; no forge counts that far.
NUMBER_MAX: Final = 2**31 - 1
ID_MAX: Final = 2**63 - 1
CHARACTERS_MAX: Final = 4096
_OID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LOGIN: Final = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")
# A parsed answer; what is read of it is checked here and nowhere else.
Json = Any


class OddError(Exception):
    """A part is not what the forge documents; its name is all that is told of it."""


@contextmanager
def reading(call: str) -> Iterator[None]:
    """Refuse an answer of which a part is not what the forge documents.

    Raises:
        Rejected: `bad_answer`, with the call that was answered so.

    """
    try:
        yield
    except OddError as error:
        message = f"{call}: the forge's answer has no usable {error}"
        raise Rejected(ForgeRefusal.BAD_ANSWER, message) from None


def part(node: Json, name: str) -> Json:
    """Return what is there under that name, null for nothing."""
    if not isinstance(node, dict):
        raise OddError(repr(name))
    return node.get(name)


def fields(node: Json, name: str) -> dict[str, Json]:
    found = part(node, name)
    if not isinstance(found, dict):
        raise OddError(repr(name))
    return found


def maybe_fields(node: Json, name: str) -> dict[str, Json] | None:
    """Return the fields, or none where it is null or missing: what is gone, or may not be seen."""
    return None if part(node, name) is None else fields(node, name)


def items(node: Json, name: str) -> list[Json]:
    found = part(node, name)
    if not isinstance(found, list):
        raise OddError(repr(name))
    return found


def text(node: Json, name: str) -> str:
    """Not empty, not long, and such that it can be written as UTF-8."""
    found = part(node, name)
    if not isinstance(found, str) or not 0 < len(found) <= CHARACTERS_MAX or not is_unicode(found):
        raise OddError(repr(name))
    return found


def is_unicode(found: str) -> bool:
    """JSON's escapes can spell half a character, which no encoding takes."""
    try:
        found.encode()
    except UnicodeEncodeError:
        return False
    return True


def oid(node: Json, name: str) -> str:
    """A git object's id, SHA-1 or SHA-256."""
    found = part(node, name)
    if not isinstance(found, str) or not _OID.fullmatch(found):
        raise OddError(repr(name))
    return found


def flag(node: Json, name: str) -> bool:
    found = part(node, name)
    if not isinstance(found, bool):
        raise OddError(repr(name))
    return found


def number(node: Json, name: str, *, least: int = 1, most: int = NUMBER_MAX) -> int:
    found = part(node, name)
    if type(found) is not int or not least <= found <= most:  # a flag is an int to isinstance
        raise OddError(repr(name))
    return found


def row_id(node: Json, name: str) -> str:
    return str(number(node, name, most=ID_MAX))


def is_id(value: Json) -> bool:
    return type(value) is int and 1 <= value <= ID_MAX


def is_login(value: Json) -> bool:
    return isinstance(value, str) and bool(_LOGIN.fullmatch(value))


def login(node: Json, name: str) -> str:
    found = part(node, name)
    if not is_login(found):
        raise OddError(repr(name))
    return str(found)


def moment_s(node: Json, name: str) -> float:
    """Seconds since 1970 of a time with its zone."""
    try:
        found = datetime.fromisoformat(text(node, name))
        if found.tzinfo is not None:
            return found.timestamp()
    except (ValueError, OverflowError):
        pass
    raise OddError(repr(name))


def part_at(node: Json, *path: str) -> Json:
    """Return what is there, null for nothing on the way."""
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def fields_at(node: Json, *path: str) -> dict[str, Json]:
    found = part_at(node, *path)
    return found if isinstance(found, dict) else {}


def text_at(node: Json, *path: str) -> str:
    found = part_at(node, *path)
    return found if isinstance(found, str) else ""


def integer_at(node: Json, *path: str) -> int | None:
    found = part_at(node, *path)
    return found if type(found) is int else None


def moment_at(node: Json, *path: str) -> datetime | None:
    """Return a time that is written there; none for anything else, and one that nobody can mean."""
    try:
        return plausible(datetime.fromisoformat(text_at(node, *path)))
    except ValueError:
        return None


def moment_of(told: Json, *, per_s: int = 1) -> datetime | None:
    """Return a time that is counted from 1970 in seconds, or so many of them; none as above."""
    try:
        return plausible(datetime.fromtimestamp(told / per_s, UTC)) if type(told) is int else None
    except (ValueError, OverflowError, OSError):
        return None
