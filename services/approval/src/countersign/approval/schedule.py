"""Work that time brings: expiry, another try at what failed, replicas that are gone."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from countersign.approval.interfaces import Replicas
from countersign.approval.model import Entry, carried, retry_delay
from countersign.approval.promotions.announcements import Announcements
from countersign.approval.promotions.projection import Promotions
from countersign.approval.revocation.endings import Endings
from countersign.contracts.errors import Rejected, Retryable
from countersign.process.clocks import Clocks
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import gauge
from countersign.telemetry.tracing import span

log = get_logger()

TICK_S: Final = 1.0
# A restart is told within twenty seconds; a blink of somebody's connection is not told at all.
PROBE_S: Final = 5.0
MISSES_MAX: Final = 3
REPLICAS_PROBED_MAX: Final = 20

_held = gauge("delegations_held", "People's own tokens in this replica's vault.")


@dataclass(kw_only=True)
class Schedule:
    replica: str
    promotions: Promotions
    endings: Endings
    announcements: Announcements
    replicas: Replicas
    clocks: Clocks
    _misses: dict[str, int] = field(default_factory=dict)
    # Attempts that were repeated, until the stream tells of it.
    _repeated: dict[str, int] = field(default_factory=dict)
    # When we first saw an attempt as failed.
    _failed_at_s: dict[tuple[str, int], float] = field(default_factory=dict)

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(TICK_S, self.tick))
            tasks.create_task(self._every(PROBE_S, self.probe))

    async def tick(self) -> None:
        await self.endings.expire()
        await self.repeat()
        await self.announcements.publish_postponed()
        _held.labels().set(self.endings.vault.size)

    async def repeat(self) -> None:
        """Begin the next attempt of what failed for a reason that passes."""
        for entry in self.promotions.all:
            promotion_id = entry.promotion.promotion_id
            with one_entry("repeat attempts", promotion_id=promotion_id):
                if self._is_due(entry):
                    await self._repeat(entry)
        alive = {entry.promotion.promotion_id for entry in self.promotions.all}
        for gone in self._repeated.keys() - alive:
            del self._repeated[gone]

        self._failed_at_s = {k: v for k, v in self._failed_at_s.items() if k[0] in alive}

    async def _repeat(self, entry: Entry) -> None:
        promotion = entry.promotion
        with span("repeat attempt", parent=entry.trace):
            attempt = await self.announcements.retried(entry, by=None)
        self._repeated[promotion.promotion_id] = promotion.attempt
        log.info("promotion.repeated", promotion_id=promotion.promotion_id, attempt=attempt)

    def _is_due(self, entry: Entry) -> bool:
        """Say if its pause is over, as it was told or as we heard of it, whichever comes first.

        The clock of who told it may be ahead of ours.
        """
        promotion = entry.promotion
        delay = retry_delay(promotion)
        if delay is None or promotion.changed_at is None:
            return False
        if self._repeated.get(promotion.promotion_id) == promotion.attempt:
            return False
        now_s = self.clocks.monotonic()
        heard_s = self._failed_at_s.setdefault((promotion.promotion_id, promotion.attempt), now_s)
        passed = self.clocks.wall() - promotion.changed_at >= delay
        return passed or now_s - heard_s >= delay.total_seconds()

    async def probe(self) -> None:
        """Ask after the replicas that others' approvals depend on."""
        approvals = self._by_replica()
        for silent in self._misses.keys() - approvals.keys():
            del self._misses[silent]
        asked = [r for r in approvals if r != self.replica][:REPLICAS_PROBED_MAX]
        answers = await asyncio.gather(*(self.replicas.is_gone(replica) for replica in asked))
        for replica, gone in zip(asked, answers, strict=True):
            self._misses[replica] = self._misses.get(replica, 0) + 1 if gone else 0
            if self._misses[replica] >= MISSES_MAX:
                await self._tell_lost(replica, approvals[replica])
                del self._misses[replica]

    async def lose_own(self) -> None:
        """Announce at the start that what a process of the same name held before is lost."""
        await self._tell_lost(self.replica, self._by_replica().get(self.replica, []))

    def _by_replica(self) -> dict[str, list[tuple[Entry, str]]]:
        found: dict[str, list[tuple[Entry, str]]] = defaultdict(list)
        for entry in self.promotions.all:
            for approval in carried(entry.promotion):
                found[approval.replica].append((entry, approval.approval_id))
        return found

    async def _tell_lost(self, replica: str, approvals: list[tuple[Entry, str]]) -> None:
        for entry, approval_id in approvals:
            with one_entry("tell lost approvals", approval_id=approval_id):
                await self.announcements.lost(entry, approval_id=approval_id, replica=replica)
                log.warning("approval.lost", approval_id=approval_id, replica=replica)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except (Retryable, Rejected) as error:
                log.warning("schedule.postponed", reason=error.reason)
            await self.clocks.sleep(seconds)
