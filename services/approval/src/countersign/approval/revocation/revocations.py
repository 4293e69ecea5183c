"""The end of tokens at their forges: tried again for a while, told either way."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from countersign.approval.interfaces import Applications
from countersign.approval.model import Ending
from countersign.approval.promotions.announcements import Announcements
from countersign.approval.vault.ciphers import Cipher
from countersign.approval.vault.vault import Spent
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import RevocationOutcome
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.attributes import APPROVAL_ID, OUTCOME, SPAN_REVOKE
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter, gauge
from countersign.telemetry.tracing import span

log = get_logger()

# Four tokens for each of a full vault's delegations. Beyond, one ends by its own expiry and is
# told as failed.
PENDING_MAX: Final = 4_000
WORKERS: Final = 8  # as many connections as one forge is given
DELAYS_S: Final = (0.5, 2.0, 8.0, 30.0)
# At the end there is no time to wait long.
CLOSING_DELAYS_S: Final = (0.5, 1.0, 2.0)

_revocations = counter(
    "revocations_total",
    "Tokens ended at their forge, by reason and outcome.",
    ("reason", "outcome"),
    known=(
        (ending.value, outcome.name.lower())
        for ending in Ending
        for outcome in RevocationOutcome
        if outcome is not RevocationOutcome.UNSPECIFIED
    ),
)
_pending = gauge("revocations_pending", "Tokens that wait to be ended at their forge.")


class Revocations:
    def __init__(
        self,
        applications: Applications,
        *,
        cipher: Cipher,
        announcements: Announcements,
        sleep: Callable[[float], Coroutine[Any, Any, None]],
    ) -> None:
        self._sleep = sleep
        self._applications = applications
        self._cipher = cipher
        self._announcements = announcements
        self._queue: asyncio.Queue[Spent] = asyncio.Queue(PENDING_MAX)
        self._closing = asyncio.Event()

    async def add(self, *spent: Spent) -> None:
        for one in spent:
            try:
                self._queue.put_nowait(one)
            except asyncio.QueueFull:
                await self._publish(one, RevocationOutcome.FAILED)
        _pending.labels().set(self._queue.qsize())

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(self._work())

    async def finish(self, *, seconds_max: float) -> int:
        """Hurry through what is left; returns how many were not ended in time."""
        self._closing.set()
        try:
            async with asyncio.timeout(seconds_max):
                await self._queue.join()
        except TimeoutError:
            return self._give_up()
        return 0

    def _give_up(self) -> int:
        left = self._queue.qsize()
        while not self._queue.empty():
            spent = self._queue.get_nowait()
            log.error("revocation.unfinished", **_names(spent), reason=spent.reason.value)
            _count(spent, RevocationOutcome.FAILED)
        return left

    async def _work(self) -> None:
        while True:
            spent = await self._queue.get()
            try:
                with one_entry("end tokens", approval_id=spent.consent.approval_id):
                    await self._end(spent)
            finally:
                self._queue.task_done()
                _pending.labels().set(self._queue.qsize())

    async def _end(self, spent: Spent) -> None:
        consent = spent.consent
        attributes = {APPROVAL_ID: consent.approval_id}
        with span(SPAN_REVOKE, parent=consent.trace, attributes=attributes) as current:
            outcome = await self._try(spent)
            current.set_attribute(OUTCOME, outcome.value)
            await self._publish(spent, outcome)

    async def _try(self, spent: Spent) -> RevocationOutcome:
        oauth = self._applications.find(spent.consent.destination.origin).oauth
        if not oauth.revokes:
            return RevocationOutcome.FORGOTTEN
        attempt = 0
        while True:
            try:
                await oauth.revoke(self._cipher.open(spent.token))
            except Rejected as error:
                log.warning("revocation.refused", **_names(spent), reason=error.reason)
                return RevocationOutcome.FAILED
            except Retryable as error:
                delays_s = CLOSING_DELAYS_S if self._closing.is_set() else DELAYS_S
                attempt += 1
                log.warning("revocation.failed", **_names(spent), attempt=attempt)
                if attempt > len(delays_s):
                    return RevocationOutcome.FAILED
                wait_s = max(delays_s[attempt - 1], min(error.after_s or 0.0, DELAYS_S[-1]))
                await self._pause(wait_s)
            else:
                return RevocationOutcome.REVOKED

    async def _pause(self, wait_s: float) -> None:
        """Wait, but not while the process is waiting to end."""
        if self._closing.is_set():
            await self._sleep(min(wait_s, CLOSING_DELAYS_S[-1]))
            return
        waits = (
            asyncio.create_task(self._sleep(wait_s)),
            asyncio.create_task(self._closing.wait()),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _publish(self, spent: Spent, outcome: RevocationOutcome) -> None:
        _count(spent, outcome)
        word = outcome.name.lower()
        log.info("delegation.revoked", **_names(spent), reason=spent.reason.value, outcome=word)
        await self._announcements.revoked(spent, outcome)


def _count(spent: Spent, outcome: RevocationOutcome) -> None:
    _revocations.labels(reason=spent.reason.value, outcome=outcome.name.lower()).inc()


def _names(spent: Spent) -> dict[str, str]:
    return {
        "promotion_id": spent.consent.promotion.promotion_id,
        "approval_id": spent.consent.approval_id,
        "name": spent.name,
    }
