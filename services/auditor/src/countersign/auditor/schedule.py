"""Checks each credential at its time, or at once when something about it is new."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from countersign.auditor.checks.checking import Checker
from countersign.auditor.interfaces import Clock, Secrets
from countersign.auditor.model import CredentialKey, planned_at
from countersign.auditor.projection import Projection
from countersign.contracts.errors import Retryable
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger

log = get_logger()

# Secrets are asked about this often; whether they are looked at each time is theirs to say.
LOOK_S: Final = 2.0
CHECKS_AT_ONCE_MAX: Final = 4
RETRY: Final = timedelta(seconds=30)


class Schedule:
    def __init__(
        self, checker: Checker, *, projection: Projection, secrets: Secrets, now: Clock
    ) -> None:
        self._checker = checker
        self._projection = projection
        self._secrets = secrets
        self._now = now
        self._due: dict[CredentialKey, datetime] = {}
        self._news: set[CredentialKey] = set()
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(CHECKS_AT_ONCE_MAX)

    def wake(self, keys: Iterable[CredentialKey]) -> None:
        """Something about these is new."""
        self._news.update(keys)
        self._wake.set()

    async def run(self, caught_up: asyncio.Event) -> None:
        """Until cancelled; nothing is checked before all that the streams hold was read."""
        await caught_up.wait()
        self.begin()
        while True:
            wait_s = await self.step()
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def begin(self) -> None:
        """Take up what was planned before a restart; what was never checked is due now."""
        self._news.clear()
        for key in self._projection.named() | self._projection.known():
            checked = self._projection.checked(key)
            named = key in self._projection.named()
            planned = planned_at(checked, now=self._now()) if named else None
            self._due[key] = planned or self._now()
            self._news.add(key)

    async def step(self) -> float:
        """Check all that is due; returns how long nothing will be, seconds."""
        self._wake.clear()
        now = self._now()
        self._news.update(await self._secrets.changed(tuple(self._due)))
        scheduled = {key for key, due in self._due.items() if due <= now}
        news, self._news = self._news, set()
        async with asyncio.TaskGroup() as group:
            for key in sorted(scheduled | news):
                group.create_task(self._check(key, scheduled=key in scheduled))
        soonest = min(self._due.values(), default=None)
        if soonest is None:
            return LOOK_S
        return min(LOOK_S, max(0.0, (soonest - self._now()).total_seconds()))

    async def _check(self, key: CredentialKey, *, scheduled: bool) -> None:
        async with self._slots:
            # Of one that cannot be checked nothing is known, and it is tried again.
            self._due[key] = self._now() + RETRY
            try:
                with one_entry("check tokens", secret=str(key)):
                    due = await self._checker.check(key, scheduled=scheduled)
                    self._plan(key, due)
            except Retryable as error:
                log.warning("token.unchecked", secret=str(key), reason=error.reason)

    def _plan(self, key: CredentialKey, due: datetime | None) -> None:
        if due is None:
            self._due.pop(key, None)
        else:
            self._due[key] = due
