"""Asks now and then what became of pull requests, where a credential may be used for that."""

from collections.abc import Awaitable, Callable
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.promotion import State
from countersign.pr_writer.jobs.model import FollowJob, may_use_stored
from countersign.pr_writer.jobs.outcomes import Failure, Fate, Followed
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parent.announcing import Announcer
from countersign.pr_writer.parent.dispatching import AccessBook, Dispatcher
from countersign.pr_writer.parent.failures import failure_of
from countersign.pr_writer.parent.interfaces import MonotonicClock, Sleep
from countersign.pr_writer.parent.looking import Looking
from countersign.pr_writer.parent.projection import Projection
from countersign.pr_writer.parent.records import PromotionRecord
from countersign.process.tasks.entries import one_entry
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import span

log = get_logger()

FOLLOWED_MAX: Final = 200
# What failed without being known to have failed is looked for once its time has passed.
LOOKED_FOR_S: Final = 600.0
# Longer than a job is silent that is still to be tried: eight tries, five minutes apart.
STUCK_S: Final = 3600.0
# A merge that a webhook told is asked about once, when all clocks agree that it is over.
CONFIRMED_AFTER_S: Final = 180.0


class Polling:
    """Asks about each open pull request of a stored or app credential, one after the other."""

    def __init__(
        self,
        projection: Projection,
        *,
        dispatcher: Dispatcher,
        announcer: Announcer,
        looking: Looking,
        accesses: AccessBook,
    ) -> None:
        self._projection = projection
        self._dispatcher = dispatcher
        self._announcer = announcer
        self._looking = looking
        self._accesses = accesses
        self._last: BoundedDict[str, Followed] = BoundedDict(FOLLOWED_MAX)
        self._confirmed: BoundedDict[tuple[str, int], None] = BoundedDict(FOLLOWED_MAX)
        self._looked_for: BoundedDict[tuple[str, int], None] = BoundedDict(FOLLOWED_MAX)

    async def run(self, *, every_s: float, sleep: Sleep, monotonic: MonotonicClock) -> None:
        while True:
            await sleep(every_s)
            await self.poll(now_s=monotonic())

    async def poll(self, *, now_s: float) -> None:
        """Ask once about all of them; one that cannot be asked about keeps no other waiting."""
        records = self._projection.records()
        for record in [r for r in records if _is_followed(r)][-FOLLOWED_MAX:]:
            await self._guarded(record, self._follow)
            await self._guarded(record, self._warn)
        for record in records:
            if self._is_unconfirmed(record, now_s=now_s):
                await self._guarded(record, self._confirm)
            elif self._is_uncertain(record, now_s=now_s):
                self._looked_for[record.promotion_id, record.promotion.attempt] = None
                await self._guarded(record, self._look)
            elif _is_left_open(record, now_s=now_s):
                await self._guarded(record, self._close)
            elif _is_stuck(record, now_s=now_s):
                await self._guarded(record, self._give_up)

    async def _guarded(
        self, record: PromotionRecord, ask: Callable[[PromotionRecord], Awaitable[None]]
    ) -> None:
        promotion_id = record.promotion_id
        with one_entry("poll", promotion_id=promotion_id):
            try:
                await ask(record)
            except (Retryable, Rejected) as error:
                log.warning(
                    "pull_request.not_followed", promotion_id=promotion_id, reason=error.reason
                )

    async def _look(self, record: PromotionRecord) -> None:
        await self._looking.look(record, closes=False)

    async def _warn(self, record: PromotionRecord) -> None:
        """Say at an open pull request, once, that its way is blocked now."""
        now = self._projection.get(record.promotion_id) or record
        why = self._projection.blocked.why(now.promotion)
        if not why or not _is_followed(now):
            return
        # Told first: what is said twice is worse than what is not said.
        summary = self._last.get(now.promotion_id, Followed()).summary
        warned = await self._announcer.updated(now, summary, warned=True)
        if warned is not None:
            self._projection.fold(warned, trace={})
            await self._looking.look(now, closes=False, warning=why)

    async def _close(self, record: PromotionRecord) -> None:
        await self._looking.look(record, closes=True)

    async def _follow(self, record: PromotionRecord) -> None:
        last = self._last.get(record.promotion_id, Followed())
        followed = await self._ask(record, since=last.version)
        if followed is not None:
            await self._tell(record, followed, last=last)

    async def _confirm(self, record: PromotionRecord) -> None:
        """Ask if it was merged as somebody told: who knows a webhook's secret can forge."""
        followed = await self._ask(record, since="")
        if followed is None:
            return
        if followed.fate is Fate.OPEN:
            await self._announcer.updated(record, "still open")
        else:
            self._confirmed[record.promotion_id, record.promotion.attempt] = None

    async def _ask(self, record: PromotionRecord, *, since: str) -> Followed | None:
        if record.pull is None:
            return None
        promotion = record.promotion
        origin = promotion.request.destination.origin
        job = FollowJob(
            request=promotion.request,
            attempt=promotion.attempt,
            access=self._accesses.access(origin, mode=record.pull_mode),
            number=record.pull.number,
            since=since,
        )
        with span(
            names.SPAN_FOLLOW_PULL_REQUEST,
            parent=record.trace,
            attributes={names.PROMOTION_ID: record.promotion_id},
        ):
            outcome = await self._dispatcher.run(job)
            if isinstance(outcome, Failure):
                raise Rejected(JobRefusal.FAILED_FOR_NOW, outcome.message)
            return outcome if isinstance(outcome, Followed) else None

    async def _tell(self, record: PromotionRecord, followed: Followed, *, last: Followed) -> None:
        if followed.fate is None:
            return
        if followed.fate is not Fate.OPEN:
            await self._announcer.ended(record, followed)
        elif followed.summary != last.summary:
            await self._announcer.updated(record, followed.summary)
        self._last[record.promotion_id] = followed

    async def _give_up(self, record: PromotionRecord) -> None:
        """End an attempt that nobody makes any more; whoever sees it first tells it."""
        message = "nobody makes this attempt any more; ask again"
        failure = failure_of(Rejected(JobRefusal.INTERNAL, message), step=record.promotion.step)
        granted = record.promotion.granted
        failed = await self._announcer.failed(
            record.promotion.ref,
            failure,
            approval_id=granted[-1].approval_id if granted else "",
        )
        self._projection.fold(failed, trace={})

    def _is_unconfirmed(self, record: PromotionRecord, *, now_s: float) -> bool:
        return (
            record.promotion.state is State.DEPLOYING
            and record.pull is not None
            and may_use_stored(record.pull_mode)
            and now_s - record.heard_at_s > CONFIRMED_AFTER_S
            and (record.promotion_id, record.promotion.attempt) not in self._confirmed
        )

    def _is_uncertain(self, record: PromotionRecord, *, now_s: float) -> bool:
        late_s = now_s - record.late.until_s
        return (
            record.promotion.state is State.FAILED
            and record.may_be_looked_for
            and record.late.until_s > 0
            and 0 <= late_s <= LOOKED_FOR_S
            and (record.promotion_id, record.promotion.attempt) not in self._looked_for
        )


def _is_followed(record: PromotionRecord) -> bool:
    is_open = record.pull is not None and not record.pull_over
    return is_open and may_use_stored(record.pull_mode) and record.promotion.state is State.OPEN


def _is_left_open(record: PromotionRecord, *, now_s: float) -> bool:
    """Return whether a pull request is thought to be open that nobody wants any more.

    A person gave it up; or what it brings runs already, so that it was merged, most likely: of that
    a forge is asked only when all its copies know.
    """
    state, is_open = record.promotion.state, record.pull is not None and not record.pull_over
    given_up = state is State.REJECTED
    arrived = state is State.COMPLETED and now_s - record.heard_at_s > CONFIRMED_AFTER_S
    return is_open and (given_up or arrived) and may_use_stored(record.pull_mode)


def _is_stuck(record: PromotionRecord, *, now_s: float) -> bool:
    return record.promotion.state is State.OPENING and now_s - record.heard_at_s > STUCK_S
