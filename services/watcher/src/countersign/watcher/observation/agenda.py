"""Keeps which Pipelines to look at, now or later."""

import asyncio
import contextlib
from collections.abc import Callable

from countersign.kube.objects import ObjectKey


class Agenda:
    """Grows with the number of Pipelines; each is on it at most once for now and once for later."""

    def __init__(self, *, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._now: set[ObjectKey] = set()
        self._later: dict[ObjectKey, float] = {}
        self._woken = asyncio.Event()

    def add(self, *keys: ObjectKey) -> None:
        self._now.update(keys)

    def add_later(self, key: ObjectKey, *, after_s: float) -> None:
        """Look at it after that time, or earlier where it was to be looked at earlier."""
        due_at = self._monotonic_s() + after_s
        self._later[key] = min(due_at, self._later.get(key, due_at))

    def put_off(self, key: ObjectKey, *, after_s: float) -> None:
        """Look at it after that time and no earlier, because now it cannot be done."""
        self._later[key] = self._monotonic_s() + after_s

    def wake(self) -> None:
        """Have `wait` return, for something else is to be done."""
        self._woken.set()

    def take(self, *, most: int) -> list[ObjectKey]:
        """Take what is due, in an order that is the same for everybody."""
        self._woken.clear()
        now = self._monotonic_s()
        for key in [key for key, due_at in self._later.items() if due_at <= now]:
            del self._later[key]
            self._now.add(key)
        batch = sorted(self._now)[:most]
        self._now.difference_update(batch)
        return batch

    async def wait(self, *, at_most_s: float | None = None) -> None:
        """Return when something is due, when somebody woke it, or after that time."""
        if self._now:
            return
        waits = [at - self._monotonic_s() for at in self._later.values()]
        if at_most_s is not None:
            waits.append(at_most_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(waits, default=None)):
                await self._woken.wait()
