"""Checks an edited file against the one before. Runs where there is no token."""

from collections.abc import Mapping, Sequence

import yaml

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs.markers import Marked, suffix_of
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parser.scanning import BOM, events


def verify(
    before: bytes, after: bytes, *, places: Sequence[Marked], key: str, values: Mapping[str, str]
) -> None:
    """Check by parsing both that nothing but the marked scalars differs, and they as approved.

    Raises:
        Rejected: `not_promotable`.

    """
    try:
        old = [_shape(e) for e in events(before.removeprefix(BOM).decode())]
        new = [_shape(e) for e in events(after.removeprefix(BOM).decode())]
    except (yaml.YAMLError, UnicodeDecodeError):
        raise Rejected(JobRefusal.NOT_PROMOTABLE, "the file would not be YAML any more") from None
    wanted = sorted(values[suffix_of(p.marker, key=key) or ""] for p in places)
    pairs = [(a, b) for a, b in zip(old, new, strict=False) if a != b]
    written = sorted(b[1].rstrip("\r\n") for _, b in pairs)
    same_kind = all(a[0] == b[0] == "ScalarEvent" and a[2:] == b[2:] for a, b in pairs)
    if len(old) != len(new) or not same_kind or written != wanted:
        raise Rejected(JobRefusal.NOT_PROMOTABLE, "more than the marked values would change")


def _shape(event: yaml.Event) -> tuple[str, str, str, str]:
    # A value that gets quotes changes its resolved tag and style, which is wanted.
    value = str(getattr(event, "value", ""))
    tag = "" if isinstance(event, yaml.ScalarEvent) and any(event.implicit) else _tag(event)
    return type(event).__name__, value, tag, str(getattr(event, "anchor", "") or "")


def _tag(event: yaml.Event) -> str:
    return str(getattr(event, "tag", "") or "")
