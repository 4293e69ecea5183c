"""Markers of values in a file: comments that hold one JSON object.

`# {"$promotion": "<namespace>:<pipeline>:<environment>"}`, and after a further `:` the part of the
revision that is wanted. The contract is that of Weave GitOps' pipeline-controller.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from countersign.contracts.revision import SUFFIXES


@dataclass(frozen=True, kw_only=True)
class Marked:
    """A marked scalar: bytes `start` to `end` of the file, without its anchor and tag.

    `style` is empty for plain, a quote, `|` for the text of a block scalar, or `:` for a value
    that is not there yet; `line` counts from 1.
    """

    start: int
    end: int
    style: str
    marker: str
    line: int


class Misplacement(StrEnum):
    """Reasons for which a marker belongs to no single value, as people are told them."""

    ON_ALIAS = "is on an alias; put it on the anchored value"
    ON_NOTHING = "is on no value; put it beside a single value"
    DEEPER = "is deeper than what is below it; put it beside the value"
    APART = "has an empty line below it; put it beside a single value"
    ABOVE_NOTHING = "is above no value; put it beside a single value"
    ON_COMPLEX_KEY = "is on a complex key; put it beside a single value"
    ON_TAG = "is on a value with a tag; remove the tag"
    ON_COLLECTION = "is on a mapping or a list; put it beside a single value"
    ON_KEY = "is on a key; put it beside a single value"
    ON_EMPTY_BLOCK = "is on an empty block; write a value into it"
    ON_SEVERAL = "has several values or none on its line; put each value on a line of its own"
    ENCRYPTED = "is on an encrypted value; encrypt none that is promoted"
    IN_BLOCK = "is inside a block of text; move the value out of it"
    SEALED = (
        "is in a file that SOPS signed as a whole; set mac_only_encrypted: true in .sops.yaml and "
        "encrypt it anew, or move the value"
    )


@dataclass(frozen=True, kw_only=True)
class Misplaced:
    """A marker that belongs to no single value; `line` counts from 1."""

    marker: str
    line: int
    reason: Misplacement


@dataclass(frozen=True)
class Markers:
    """All that a file holds, of every pipeline."""

    marked: tuple[Marked, ...] = ()
    misplaced: tuple[Misplaced, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(sorted({m.marker for m in self.marked} | {m.marker for m in self.misplaced}))


def suffix_of(marker: str, *, key: str) -> str | None:
    """The suffix if the marker is of that key (`ns:app:prod:tag` → `tag`), else none."""
    if marker == key:
        return ""
    head, _, suffix = marker.rpartition(":")
    return suffix if head == key and suffix in SUFFIXES and suffix else None


def marker_of(comment: str) -> str | None:
    """Return what a comment marks; none if it is no JSON object of strings with `$promotion`."""
    if "$promotion" not in comment:
        return None
    try:
        data = json.loads(comment.lstrip("#").strip())
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
        return None
    value = data.get("$promotion")
    return value if isinstance(value, str) else None
