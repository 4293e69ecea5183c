"""Times that can be meant: nothing of ours was before 1970, and nobody plans beyond 2200.

A time at the ends of the calendar is valid in form, and breaks whoever adds an hour to it or tells
it in another zone.
"""

from datetime import UTC, datetime
from typing import Final

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def plausible(moment: datetime) -> datetime | None:
    """Return the time in UTC, or None where nobody can mean it; one without a zone is in UTC."""
    try:
        found = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None
    return found if EARLIEST <= found < LATEST else None
