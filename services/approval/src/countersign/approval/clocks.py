"""The clocks of the service, and lifetimes that a clock stepped back cannot make longer."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """The end of a lifetime: as people are told it, and by a clock that never goes back."""

    at: datetime
    monotonic_s: float


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """All that time is told by.

    Args:
        now: the wall's.
        monotonic_s: one that never goes back, and never stops while the process runs.
        sleep: waits so many seconds.

    """

    now: Callable[[], datetime]
    monotonic_s: Callable[[], float]
    sleep: Callable[[float], Coroutine[Any, Any, None]]

    def deadline(self, lasting: timedelta) -> Deadline:
        """Return the end of something that begins now."""
        return Deadline(
            at=self.now() + lasting,
            monotonic_s=self.monotonic_s() + lasting.total_seconds(),
        )

    def is_over(self, deadline: Deadline) -> bool:
        """Say if it is over by either clock, whichever comes first."""
        return self.now() >= deadline.at or self.monotonic_s() >= deadline.monotonic_s
