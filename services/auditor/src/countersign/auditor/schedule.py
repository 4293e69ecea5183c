"""Checks each credential at its time, or at once when something about it is new."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from countersign.auditor.checks.checking import Checker
from countersign.auditor.interfaces import Clock, Secrets
from countersign.auditor.model import CredentialKey, planned_at
from countersign.auditor.projection import Projection
from countersign.auditor.refusals import CheckRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger

log = get_logger()

# Secrets are asked about this often; whether they are looked at each time is theirs to say.
LOOK_S: Final = 2.0
CHECKS_AT_ONCE_MAX: Final = 4
RETRY: Final = timedelta(seconds=30)


class News:
    """Credentials that something is new about; kept until they are checked."""

    def __init__(self) -> None:
        self.keys: set[CredentialKey] = set()
        self.any = asyncio.Event()

    def __call__(self, keys: Iterable[CredentialKey]) -> None:
        """Something about these is new."""
        before = len(self.keys)
        self.keys.update(keys)
        if len(self.keys) > before:
            self.any.set()

    def take(self) -> set[CredentialKey]:
        taken, self.keys = self.keys, set()
        self.any.clear()
        return taken


class Schedule:
    def __init__(
        self,
        checker: Checker,
        *,
        projection: Projection,
        secrets: Secrets,
        news: News,
        now: Clock,
    ) -> None:
        self._checker = checker
        self._projection = projection
        self._secrets = secrets
        self._now = now
        self._due: dict[CredentialKey, datetime] = {}
        self._news = news
        # When somebody asked for a check that is still to come.
        self._wanted: dict[CredentialKey, datetime] = {}
        self._slots = asyncio.Semaphore(CHECKS_AT_ONCE_MAX)

    async def run(self, ready: asyncio.Event) -> None:
        """Run until cancelled; nothing is checked before all that the streams hold was read."""
        await ready.wait()
        self.begin()
        while True:
            wait_s = await self.step()
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.any.wait()
            except TimeoutError:
                continue

    def begin(self) -> None:
        """Take up what was planned before a restart; what was never checked is due now."""
        self._news.take()
        for key in self._projection.named() | self._projection.known():
            checked = self._projection.checked(key)
            named = key in self._projection.named()
            planned = planned_at(checked, now=self._now()) if named else None
            self._due[key] = planned or self._now()
            self._news((key,))

    async def step(self) -> float:
        """Check all that is due; returns how long nothing will be, seconds."""
        now = self._now()
        self._news(await self._secrets.changed(tuple(self._due)))
        scheduled = {key for key, due in self._due.items() if due <= now}
        news = self._news.take()
        async with asyncio.TaskGroup() as group:
            for key in sorted(scheduled | news):
                group.create_task(self._check(key, scheduled=key in scheduled))
        soonest = min(self._due.values(), default=None)
        if soonest is None:
            return LOOK_S
        return min(LOOK_S, max(0.0, (soonest - self._now()).total_seconds()))

    async def check_now(self, key: CredentialKey) -> datetime | None:
        """Check one that somebody asks about.

        Returns:
            None, or when the forge is asked if it may not be now.

        Raises:
            Rejected: `not_named`.
            Retryable: the Secret could not be read, or the result not be published.

        """
        if key not in self._projection.named():
            raise Rejected(
                CheckRefusal.NOT_NAMED, f"no Pipeline names Secret {str(key)!r}; nothing is asked"
            )
        self._wanted[key] = self._now()
        async with self._slots:
            self._plan(key, await self._checker.check(key, scheduled=False, wanted=True))
        return self._due.get(key) if self._is_wanted(key) else None

    def _is_wanted(self, key: CredentialKey) -> bool:
        """Tell whether somebody still waits for an answer of the forge."""
        wanted_at, checked = self._wanted.get(key), self._projection.checked(key)
        asked_at = checked.checked_at if checked else None
        if wanted_at is not None and asked_at is not None and asked_at >= wanted_at:
            del self._wanted[key]
        return key in self._wanted

    async def _check(self, key: CredentialKey, *, scheduled: bool) -> None:
        async with self._slots:
            # Of one that cannot be checked nothing is known, and it is tried again.
            self._due[key] = self._now() + RETRY
            try:
                with one_entry("check tokens", secret=str(key)):
                    wanted = self._is_wanted(key)
                    due = await self._checker.check(key, scheduled=scheduled, wanted=wanted)
                    self._plan(key, due)
            except Retryable as error:
                log.warning("token.unchecked", secret=str(key), reason=error.reason)

    def _plan(self, key: CredentialKey, due: datetime | None) -> None:
        if due is None:
            self._due.pop(key, None)
            self._wanted.pop(key, None)
        else:
            self._due[key] = due
