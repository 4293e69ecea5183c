"""Pauses before an API server is asked again."""

from dataclasses import dataclass
from typing import Final

from countersign.kube.access.api import RETRY_AFTER_MAX_S
from countersign.process.clocks import MACHINE, Clocks

_DOUBLINGS_MAX: Final = 16
WATCH_LEAST_S: Final = 240
WATCH_MOST_S: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """The lengths of pauses, in seconds."""

    first_s: float = 0.5
    longest_s: float = 15.0
    # So long may a server be away before what it said last is doubted.
    away_s: float = 15.0
    # How soon a kind that is not installed, or not to be read, is looked at again.
    refused_s: float = 10.0
    # How soon a Secret that nobody tells of is read again.
    reread_s: float = 60.0
    # Bookmarks come each minute, so silence means that a connection was lost without anybody
    # saying so.
    silence_s: float = 90.0
    clocks: Clocks = MACHINE

    def now(self) -> float:
        return self.clocks.monotonic()

    def watch_s(self) -> int:
        """Choose after how long a watch ends by itself, so that not all end at once."""
        return WATCH_LEAST_S + int((WATCH_MOST_S - WATCH_LEAST_S) * self.clocks.random())

    async def after(self, failures: int, *, at_least_s: float = 0.0) -> None:
        """Twice as long after each failure, and never all at the same time."""
        wait_s = min(self.longest_s, self.first_s * 2 ** min(failures, _DOUBLINGS_MAX))
        jittered_s = wait_s * (0.5 + self.clocks.random() / 2)
        await self.clocks.sleep(max(jittered_s, min(at_least_s, RETRY_AFTER_MAX_S)))

    async def refused(self) -> None:
        await self.clocks.sleep(self.refused_s * (0.8 + 0.4 * self.clocks.random()))
