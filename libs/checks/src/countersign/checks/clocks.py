"""Our clock, compared with what others say the time is. Pure."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from countersign.checks.model import Fault, Finding, Subject

CLOCK_S_MAX: Final = 60.0


def clock_of(name: str, date: str, *, now: datetime) -> Finding:
    """Compare our clock with an answer's date; one that has none tells nothing."""
    try:
        theirs = parsedate_to_datetime(date)
        behind_s = abs((now - theirs).total_seconds())
    except (ValueError, TypeError):
        return Finding(subject=Subject.CLOCK, name=name, detail="it tells no time")
    wrong = behind_s > CLOCK_S_MAX
    return Finding(
        subject=Subject.CLOCK,
        name=name,
        fault=Fault.CLOCK_WRONG if wrong else None,
        detail=f"{behind_s:.0f} s apart",
    )
