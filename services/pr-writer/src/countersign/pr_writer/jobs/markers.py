"""Markers of values in a file: comments that hold one JSON object.

`# {"$promotion": "<namespace>:<pipeline>:<environment>"}`, and after a further `:` the part of the
revision that is wanted. The contract is that of Weave GitOps' pipeline-controller.
"""

import json
from dataclasses import dataclass

from countersign.contracts.revision import SUFFIXES


@dataclass(frozen=True, kw_only=True)
class Marked:
    """A marked scalar: bytes `start` to `end` of the file, without its anchor and tag.

    `style` is empty for plain, a quote, `|` for the text of a block scalar, or `:` for a value
    that is not there yet. `ordinal` counts scalars of the file.
    """

    start: int
    end: int
    style: str
    marker: str
    ordinal: int
    line: int


@dataclass(frozen=True, kw_only=True)
class Misplaced:
    """A marker that belongs to no single value; `line` counts from 1."""

    marker: str
    line: int
    reason: str


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
