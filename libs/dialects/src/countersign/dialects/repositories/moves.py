"""Repositories that were moved or renamed. No token follows: a person corrects the address."""

import re
from typing import Final
from urllib.parse import unquote

from countersign.contracts.errors import Rejected
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place

# What an answer tells becomes text for people: nothing but a name gets there.
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}(?:/[A-Za-z0-9_.-]{1,100}){1,20}")


def moved(place: Place, to: str) -> Rejected:
    """Return the refusal of a repository that was moved.

    Args:
        place: by its former name.
        to: its name now, as the forge tells it; whatever is none is left out.

    """
    is_name = _NAME.fullmatch(to) and to.lower() != place.name.lower()
    there = f" and is {to!r} now" if is_name else ""
    return Rejected(
        ForgeRefusal.MOVED,
        f"repository {place.name!r} was moved or renamed{there}; no redirect is followed with a "
        "token, so give the Pipeline its new address",
    )


def name_after(location: str, mark: str) -> str:
    """Return the first two segments behind `mark` in an address, empty where there are none."""
    _, found, rest = location.partition(mark)
    segments = rest.partition("?")[0].split("/")
    return unquote("/".join(segments[:2])) if found and len(segments) > 1 else ""


def number_after(location: str, mark: str) -> str:
    """Return the number behind `mark` in an address, empty where there is none."""
    _, _, rest = location.partition(mark)
    number = re.match(r"[0-9]{1,18}(?![^/?])", rest)
    return number.group() if number else ""
