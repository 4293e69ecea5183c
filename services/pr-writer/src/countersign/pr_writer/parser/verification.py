"""Checks an edited file against the one before. Runs where there is no token."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import yaml

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs.markers import Marked, suffix_of
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parser.documents import BOM, NODES_MAX, documents, events

_Shape = tuple[str, str, str, str]


def verify(
    before: bytes, after: bytes, *, places: Sequence[Marked], key: str, values: Mapping[str, str]
) -> None:
    """Check that nothing but the marked scalars differs, and they as approved.

    Of documents whose bytes differ, both are parsed.

    Raises:
        Rejected: `not_promotable`, `limit_exceeded`.

    """
    wanted = sorted(values[suffix_of(p.marker, key=key) or ""] for p in places)
    written: list[str] = []
    left = NODES_MAX
    old, new = before.removeprefix(BOM), after.removeprefix(BOM)
    if len(before) - len(old) != len(after) - len(new):
        raise _other()
    for a, b in zip_longest(documents(old), documents(new)):
        if a is None or b is None:
            raise _other()
        if a != b:
            shapes, others = _shapes(a, nodes_max=left), _shapes(b, nodes_max=left)
            left -= len(shapes)
            written += _changed(shapes, others)
    if sorted(written) != wanted:
        raise _other()


def _shapes(document: bytes, *, nodes_max: int) -> list[_Shape]:
    try:
        return [_shape(event) for event in events(document.decode(), nodes_max=nodes_max)]
    except (yaml.YAMLError, UnicodeDecodeError):
        raise Rejected(JobRefusal.NOT_PROMOTABLE, "the file would not be YAML any more") from None


def _changed(old: list[_Shape], new: list[_Shape]) -> list[str]:
    """Return what scalars hold now that held something else, one at least and nothing else."""
    pairs = [(a, b) for a, b in zip(old, new, strict=False) if a != b]
    same_kind = all(a[0] == b[0] == "ScalarEvent" and a[2:] == b[2:] for a, b in pairs)
    if len(old) != len(new) or not pairs or not same_kind:
        raise _other()
    return [b[1].rstrip("\r\n") for _, b in pairs]


def _other() -> Rejected:
    return Rejected(JobRefusal.NOT_PROMOTABLE, "more than the marked values would change")


def _shape(event: yaml.Event) -> _Shape:
    # A value that gets quotes changes its resolved tag and style, which is wanted.
    value = str(getattr(event, "value", ""))
    tag = "" if isinstance(event, yaml.ScalarEvent) and any(event.implicit) else _tag(event)
    return type(event).__name__, value, tag, str(getattr(event, "anchor", "") or "")


def _tag(event: yaml.Event) -> str:
    return str(getattr(event, "tag", "") or "")
