"""Uses of a token by others than us, where the forge tells of the last one. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

# A forge's clock, and the time that a promotion takes from its first request to its last.
SLACK: Final = timedelta(minutes=2)


def used_elsewhere_at(
    reported_at: datetime | None,
    *,
    ours: Iterable[datetime | None],
    asked_before_at: datetime | None,
    known_at: datetime | None,
) -> datetime | None:
    """Return when somebody else last used it, as far as can be told.

    Args:
        reported_at: the last use that the forge tells of.
        ours: times of our own uses and questions.
        asked_before_at: the last question before this one; what the forge tells of the time before
            it was judged then. None where this is the first: then nobody knows what was ours.
        known_at: what was known before.

    """
    if reported_at is None or asked_before_at is None or reported_at < asked_before_at + SLACK:
        return known_at
    if any(at is not None and abs(reported_at - at) <= SLACK for at in ours):
        return known_at
    return reported_at
