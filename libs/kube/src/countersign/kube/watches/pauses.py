"""Pauses before an API server is asked again."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from countersign.kube.access.api import RETRY_AFTER_MAX_S

_DOUBLINGS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Clock and random come from outside, so that a test decides them."""

    first_s: float = 0.5
    longest_s: float = 15.0
    # So long may a server be away before what it said last is doubted.
    away_s: float = 15.0
    # How soon a kind that is not installed, or not to be read, is looked at again.
    refused_s: float = 10.0
    # How soon a Secret that nobody tells of is read again.
    reread_s: float = 60.0
    # A watch ends by itself after that; bookmarks come each minute, so silence means that a
    # connection was lost without anybody saying so.
    watch_least_s: int = 240
    watch_most_s: int = 300
    silence_s: float = 90.0
    random: Callable[[], float] = field(default=random.random)
    now: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)

    def watch_s(self) -> int:
        spread = self.watch_most_s - self.watch_least_s
        return self.watch_least_s + int(spread * self.random())

    async def after(self, failures: int, *, at_least_s: float = 0.0) -> None:
        """Twice as long after each failure, and never all at the same time."""
        wait_s = min(self.longest_s, self.first_s * 2 ** min(failures, _DOUBLINGS_MAX))
        jittered_s = wait_s * (0.5 + self.random() / 2)
        await self.sleep(max(jittered_s, min(at_least_s, RETRY_AFTER_MAX_S)))

    async def refused(self) -> None:
        await self.sleep(self.refused_s * (0.8 + 0.4 * self.random()))
