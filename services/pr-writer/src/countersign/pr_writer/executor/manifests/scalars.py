"""Writes an approved value at marked bytes. Pure; the rest of a file stays as it is.

The one who writes does not parse YAML: it is told where, checks that a marker of the promotion is
really there, and writes the value quoted as YAML needs.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs.markers import Marked, marker_of, suffix_of
from countersign.pr_writer.jobs.refusals import JobRefusal

# What YAML 1.1 or 1.2 readers take for anything but a string.
_NOT_A_STRING = re.compile(
    r"""
    [-+]?[0-9][0-9_]*                                         # 1
    | [-+]?0[xob][0-9a-f_]+                                   # 0x1F
    | [-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:e[-+]?[0-9]+)?  # 6.10, 1e3
    | [-+]?\.(?:inf|nan)
    | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?        # 1:30
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\s].*)?             # a date
    | y|n|yes|no|true|false|on|off|null|~|
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_BREAKS = re.compile(rb"\r\n|[\r\n]|\xc2\x85|\xe2\x80[\xa8\xa9]")
_ODD_BREAK = re.compile(rb"\r(?!\n)|\xc2\x85|\xe2\x80[\xa8\xa9]")
_ENTRY = re.compile(r":\s|\s\#|[\r\n]\s*-\s")
_SINGLE_QUOTED = re.compile(r"'(?:[^']|'')*'")
_DOUBLE_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_UNQUOTED = re.compile(r"(?!['\"|>#])(?:(?!:\s|\s\#).)+(?<!:)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/@+-]|:(?=[A-Za-z0-9]))*")
VALUE_CHARACTERS_MAX: Final = 512
_PIN: Final = "@sha256:"


def write_scalar(value: str, *, style: str, flow: bool) -> str:
    """The value as YAML in the style that was there, quoted where plain would not be a string.

    Raises:
        Rejected: `not_promotable`; the value has line breaks, control characters or is too long.

    """
    if len(value) > VALUE_CHARACTERS_MAX or not value.isprintable():
        raise Rejected(
            JobRefusal.NOT_PROMOTABLE, f"revision {value[:40]!r} is no single line of text"
        )
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if style == "|":
        return value
    plain = _PLAIN.fullmatch(value) and not _NOT_A_STRING.fullmatch(value)
    if style != '"' and plain and not (flow and ":" in value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def apply(
    body: bytes, found: Sequence[Marked], *, key: str, values: Mapping[str, str]
) -> tuple[bytes, tuple[Marked, ...]]:
    """The file with the values of its suffixes written at the places found.

    A place that is not of `key` is refused. `values` are by suffix.

    Returns:
        The new bytes and the places whose text is another one now.

    Raises:
        Rejected: `bad_answer` for places that are not marked so, `not_promotable` for a value, or
            where a digest would be dropped.

    """
    lines = _Lines(body)
    changed: list[Marked] = []
    # From the end of the file to its beginning.
    kept: list[bytes] = []
    edge = end = len(body)
    for place in sorted(found, key=lambda p: p.start, reverse=True):
        suffix = suffix_of(place.marker, key=key)
        if suffix is None or suffix not in values or not 0 <= place.start <= place.end <= edge:
            raise Rejected(JobRefusal.BAD_ANSWER, "the parser named a place that is not asked for")
        if not _has_marker(lines, place):
            raise Rejected(JobRefusal.BAD_ANSWER, "the parser named a place without its marker")
        if not _is_one_value(body, place):
            raise Rejected(
                JobRefusal.BAD_ANSWER, "the parser named a place that is no single value"
            )
        old = body[place.start : place.end].decode()
        line = body[body.rfind(b"\n", 0, place.start) + 1 : place.start]
        new = write_scalar(values[suffix], style=place.style, flow=b"{" in line or b"[" in line)
        edge = place.start
        if old == values[suffix] or old == new:
            continue
        _refuse_unpinning(old, new, line=place.line)
        lead = " " if place.style == ":" else ""
        kept += [body[place.end : end], (lead + new).encode()]
        end = place.start
        changed.append(place)
    return b"".join((body[:end], *reversed(kept))), tuple(reversed(changed))


def values_at(body: bytes, places: Sequence[Marked]) -> str:
    """Return what a file says at the places, without repetitions, for people."""
    texts = (body[p.start : p.end].decode().strip("'\"") for p in places)
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _refuse_unpinning(old: str, new: str, *, line: int) -> None:
    """Refuse to write a tag alone where a digest pinned it: the image could be replaced then."""
    if _PIN in old and _PIN not in new:
        raise Rejected(
            JobRefusal.NOT_PROMOTABLE,
            f"the value in line {line} is pinned to a digest, which {new[:80]!r} would drop; "
            "use the marker suffix tag@digest",
        )


def _is_one_value(body: bytes, place: Marked) -> bool:
    """Return whether the bytes can be one value, whatever the parser says that they are.

    It reads hostile files, so its word may not cost more than one value on its own line.
    """
    text = body[place.start : place.end].decode()
    if place.style == ":":
        return not text
    if not text or len(text) > VALUE_CHARACTERS_MAX:
        return False
    lines = _BREAK.split(text)
    if place.style == "|":
        before = body[body.rfind(b"\n", 0, place.start) + 1 : place.start].decode()
        deeper = all(line.startswith(before) for line in lines[1:] if line)
        return bool(before) and not before.strip() and deeper
    if len(lines) > 1 and _ENTRY.search(text):
        return False
    shape = {"'": _SINGLE_QUOTED, '"': _DOUBLE_QUOTED, "": _UNQUOTED}.get(place.style)
    return shape is not None and bool(shape.fullmatch(text))


class _Lines:
    """The lines of a file, as YAML 1.1 divides them."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        if _ODD_BREAK.search(body):
            self._starts = [0, *(m.end() for m in _BREAKS.finditer(body))]
        else:
            # As nearly every file is, and in a fifth of the time.
            lines = body.split(b"\n")[:-1]
            self._starts = [0, *accumulate(len(line) + 1 for line in lines)]

    def at(self, index: int) -> int:
        """Return the number of the line that a byte is on, from 0."""
        return bisect_right(self._starts, index) - 1

    def between(self, first: int, end: int) -> Iterator[str]:
        """Yield lines of these numbers, as far as there are any, with their breaks."""
        starts = [*self._starts[first : end + 1]]
        starts += [len(self._body)] if end >= len(self._starts) else []
        for start, stop in pairwise(starts):
            yield self._body[start:stop].decode()


def _has_marker(lines: _Lines, place: Marked) -> bool:
    """Return whether a comment with that marker is on the place's lines or right above them."""
    told = place.line - 1
    if told < 0:
        return False
    near = next(lines.between(told, told + 1), "")
    first, last = lines.at(place.start), lines.at(place.end)
    comment = near[at:] if (at := _comment_at(near, place.marker)) >= 0 else ""
    above = all(line.lstrip().startswith("#") for line in lines.between(told, first))
    is_near = first <= told <= last or (told < first and above)
    header = place.style == "|" and told < first
    return marker_of(comment) == place.marker and (is_near or header)


def _comment_at(line: str, marker: str) -> int:
    """Find where the marker's comment begins: the first `#` from which the line is a marker."""
    at = line.find("#")
    while at >= 0 and marker_of(line[at:]) != marker:
        at = line.find("#", at + 1)
    return at
