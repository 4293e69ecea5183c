"""Asks the forge about promotions whose stream does not tell how they ended.

What is not known to have failed may still happen, so the forge is asked at once, and again after
the time that a late request may take.
"""

from typing import Final

from countersign.contracts.errors import Retryable
from countersign.contracts.promotion import State
from countersign.pr_writer.jobs.model import LookJob
from countersign.pr_writer.jobs.outcomes import Failure, Fate, Looked, SeenPull
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parent.announcing import Announcer
from countersign.pr_writer.parent.dispatching import AccessBook, Dispatcher
from countersign.pr_writer.parent.interfaces import MonotonicClock
from countersign.pr_writer.parent.projection import Projection
from countersign.pr_writer.parent.records import PromotionRecord
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import carrier, span

log = get_logger()

_LOOKED_FOR: Final = frozenset({State.SUPERSEDED, State.COMPLETED, State.FAILED})


class Looking:
    """Finds, closes and tells what is at the forge, where a credential allows it."""

    def __init__(
        self,
        projection: Projection,
        *,
        dispatcher: Dispatcher,
        announcer: Announcer,
        accesses: AccessBook,
        monotonic: MonotonicClock,
    ) -> None:
        self._projection = projection
        self._dispatcher = dispatcher
        self._announcer = announcer
        self._accesses = accesses
        self._monotonic = monotonic

    async def settle(self, record: PromotionRecord) -> None:
        """Look for what a promotion that is over left at the forge.

        Raises:
            Retryable: to be looked for again, because the forge did not answer, or because a
                request may still take effect.

        """
        promotion = record.promotion
        if promotion.state not in _LOOKED_FOR or not record.may_be_looked_for:
            return
        is_open = record.pull is not None and not record.pull_over
        closes = promotion.state is State.SUPERSEDED
        if not record.late.until_s and not (closes and is_open):
            return
        await self.look(record, closes=closes)
        left_s = record.late.until_s - self._monotonic()
        if left_s > 0:
            message = f"promotion {record.promotion_id!r} may still get a pull request"
            raise Retryable(JobRefusal.IN_FLIGHT, message, after_s=left_s + 1)

    async def look(self, record: PromotionRecord, *, closes: bool, warning: str = "") -> None:
        """Ask the forge once, and tell what was never told, in order."""
        promotion = record.promotion
        origin = promotion.request.destination.origin
        job = LookJob(
            request=promotion.request,
            attempt=promotion.attempt,
            access=self._accesses.access(origin, mode=record.mode),
            numbers=(record.pull.number,) if record.pull else (),
            closes=closes,
            reason=promotion.reason,
            warning=warning,
        )
        with span(
            names.SPAN_FOLLOW_PULL_REQUEST,
            parent=record.trace,
            links=[carrier()],
            attributes={names.PROMOTION_ID: record.promotion_id},
        ):
            outcome = await self._dispatcher.run(job)
            if isinstance(outcome, Failure) and outcome.retryable:
                raise Retryable(JobRefusal.FAILED_FOR_NOW, outcome.message, after_s=outcome.after_s)
            if isinstance(outcome, Failure):
                log.warning("pull_request.not_looked_for", reason=outcome.reason.name.lower())
            elif isinstance(outcome, Looked):
                for pull in outcome.pulls:
                    await self._tell(record.promotion_id, pull)

    async def tell_others(self, record: PromotionRecord, pulls: tuple[SeenPull, ...]) -> None:
        """Tell what came of uncertain attempts of the lane, and of no other that is named."""
        uncertain = {other.promotion_id for other in self._projection.uncertain(record)}
        for pull in pulls:
            promotion_id = pull.pull_request.head_branch.rpartition("/")[2].partition("-")[0]
            if promotion_id in uncertain:
                await self._tell(promotion_id, pull)

    async def _tell(self, promotion_id: str, pull: SeenPull) -> None:
        record = self._projection.get(promotion_id)
        if record is None:
            return
        if not record.is_about(pull.pull_request):
            self._projection.fold(await self._announcer.found(record, pull), trace={})
            record = self._projection.get(promotion_id) or record
        if pull.fate is Fate.OPEN or record.pull_over:
            return
        ended = await self._announcer.ended(record, pull)
        if ended is not None:
            self._projection.fold(ended, trace={})
