"""Times as people say them."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (
    (86_400 * 365, "y"),
    (86_400, "d"),
    (3_600, "h"),
    (60, "min"),
)


def relative(at: datetime, *, now: datetime) -> str:
    """`3 min`, `2 d`; under a minute in seconds, and the future as if it were now."""
    seconds = max(0, int((now - at).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def until(at: datetime, *, now: datetime) -> str:
    """`in 3 d`, or `3 d ago` once it is past."""
    return f"in {relative(now, now=at)}" if at > now else f"{relative(at, now=now)} ago"


def duration(start: datetime, end: datetime) -> str:
    """`850 ms`, `2.4 s`, `3 min`."""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    return relative(start, now=end)


def clock(at: datetime) -> str:
    """`14:12 UTC`."""
    return _in_utc(at).strftime("%H:%M UTC")


def absolute(at: datetime) -> str:
    return _in_utc(at).strftime("%Y-%m-%d %H:%M:%S UTC")


def dated(at: datetime) -> str:
    """`2026-11-23 14:12 UTC`: as a row of a table has it."""
    return _in_utc(at).strftime("%Y-%m-%d %H:%M UTC")


def machine(at: datetime) -> str:
    return _in_utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        # The first and the last day that there are have no time in every zone.
        return at.replace(tzinfo=UTC)
