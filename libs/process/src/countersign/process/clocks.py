"""The clocks, the sleep and the dice of the machine: the one place that reads them.

Whoever needs one takes it as an argument; a test gives its own.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final


def _wall() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The end of a lifetime: as people are told it, and by a clock that never goes back."""

    at: datetime
    monotonic_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Time and chance, as one machine has them.

    `wall` may be stepped back or forward at any moment; what must last so long is measured with
    `monotonic`, in seconds since no particular moment. `random` is from 0 to below 1.
    """

    wall: Callable[[], datetime] = _wall
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep
    random: Callable[[], float] = random.random

    def deadline(self, lasting: timedelta) -> Deadline:
        """Return the end of something that begins now."""
        return Deadline(
            at=self.wall() + lasting, monotonic_s=self.monotonic() + lasting.total_seconds()
        )

    def is_over(self, deadline: Deadline) -> bool:
        """Say if it is over by either clock: one that is stepped back makes nothing longer."""
        return self.wall() >= deadline.at or self.monotonic() >= deadline.monotonic_s


MACHINE: Final = Clocks()
