"""Does what the stream asks for: has pull requests opened and closed, and says how it went."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.identity import head_branch
from countersign.contracts.message import Message
from countersign.contracts.messages import ApprovalGranted
from countersign.contracts.promotion import Approval, State
from countersign.pr_writer.jobs.model import Job, OpenJob, mode_to_open, opening, tries_max
from countersign.pr_writer.jobs.outcomes import Failure, Fate, Opened
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parent.announcing import Announcer
from countersign.pr_writer.parent.dispatching import AccessBook, Dispatcher
from countersign.pr_writer.parent.failures import failure_of
from countersign.pr_writer.parent.interfaces import ReceivedEvent
from countersign.pr_writer.parent.looking import Looking
from countersign.pr_writer.parent.memory import Memory
from countersign.pr_writer.parent.projection import Projection
from countersign.pr_writer.parent.records import Lane, PromotionRecord
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import carrier, span

log = get_logger()

PROJECTION_S: Final = 10.0
# A living attempt in the same lane ends sooner than that; of a dead one the time has to pass.
LANE_S: Final = 5.0


class Handling:
    """Jobs of one replica; in each lane, one at a time."""

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
        self._memory = Memory()
        self._lanes: dict[Lane, asyncio.Lock] = {}

    async def on_work(self, received: ReceivedEvent) -> None:
        """Do what one event asks for.

        Raises:
            Retryable: to be delivered again.

        """
        try:
            await self._projection.reached(received, timeout_s=PROJECTION_S)
        except TimeoutError as error:
            message = "the stream is not read so far yet"
            raise Retryable(JobRefusal.PROJECTION_BEHIND, message) from error
        event = received.message
        record = self._record(event)
        if record is None:
            log.warning("work.unknown_promotion", event_type=type(event).__name__)
            return
        async with self._lane(record.lane):
            # What was being done in this lane meanwhile may have settled it.
            record = self._record(event) or record
            mode = mode_to_open(record.promotion, event)
            if mode is None:
                log.info(
                    "work.settled",
                    promotion_id=record.promotion_id,
                    state=record.promotion.state,
                )
                # Settled is the message; the matter is when the forge shows nothing untold.
                await self._looking.settle(record)
                return
            await self._open(record, event, tries=received.deliveries)

    async def on_given_up(self, received: ReceivedEvent, reason: str) -> None:
        """End the attempt of a message that becomes a dead letter: nobody will make it again.

        Raises:
            Retryable, Rejected: it could not be told; to be given up again later.

        """
        record = self._record(received.message)
        if record is None or mode_to_open(record.promotion, received.message) is None:
            return
        message = f"it was given up: {reason}"
        failure = failure_of(Rejected(JobRefusal.INTERNAL, message), step=record.promotion.step)
        approval = _approval(record, received.message)
        failed = await self._announcer.failed(
            record.promotion.ref, failure, approval_id=approval.approval_id if approval else ""
        )
        self._projection.fold(failed, trace={})

    def _record(self, event: Message) -> PromotionRecord | None:
        ref = getattr(event, "promotion", None)
        return self._projection.get(ref.promotion_id) if ref is not None else None

    @asynccontextmanager
    async def _lane(self, lane: Lane) -> AsyncIterator[None]:
        lock = self._lanes.setdefault(lane, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._lanes.pop(lane, None)

    async def _open(self, record: PromotionRecord, event: Message, *, tries: int) -> None:
        promotion = record.promotion
        mode = mode_to_open(promotion, event)
        if mode is None:
            return
        approval = _approval(record, event)
        approval_id = approval.approval_id if approval else ""
        await self._wait_for_lane(record)
        try:
            access = self._accesses.access(promotion.request.destination.origin, mode=mode)
        except Rejected as error:
            failed = await self._announcer.failed(
                promotion.ref, failure_of(error), approval_id=approval_id
            )
            self._projection.fold(failed, trace={})
            return
        job = opening(promotion, access=access, approval=approval).model_copy(
            update={
                "tries": tries,
                "previous": self._projection.previous_pulls(record),
                "opens_in_s": self._projection.opens_in_s(record),
                "uncertain": tuple(
                    head_branch(
                        other.promotion.request,
                        attempt=other.promotion.attempt,
                        prefix=access.forge.pull_requests.branch_prefix,
                    )
                    for other in self._projection.uncertain(record)
                ),
            }
        )
        consent = job.consent.model_copy(update={"delegates": tuple(sorted(record.delegates))})
        job = job.model_copy(update={"consent": consent, "known": self._memory.recall(job)})
        with span(
            names.SPAN_WRITE_PULL_REQUEST,
            parent=record.trace,
            links=[carrier()],
            attributes=described(job),
        ):
            await self._settle(record, job)

    async def _wait_for_lane(self, record: PromotionRecord) -> None:
        """Let attempts of the lane end that were given up: what they sent may still take effect.

        Raises:
            Retryable: `in_flight`, until then.

        """
        left_s = await self._projection.freed(record, timeout_s=LANE_S)
        if left_s > 0:
            message = f"an earlier attempt for {record.promotion.request.promotion.environment!r} "
            raise Retryable(
                JobRefusal.IN_FLIGHT, message + "may still take effect", after_s=left_s + 1
            )

    async def _settle(self, record: PromotionRecord, job: OpenJob) -> None:
        outcome = await self._dispatcher.run(job)
        if isinstance(outcome, Opened):
            self._memory.learn(job, outcome.learned)
            # Its own echo from the stream may come after the next message of the lane.
            opened = await self._announcer.opened(job, outcome)
            self._projection.fold(opened, trace={})
            after = self._projection.get(record.promotion_id) or record
            if outcome.pull.fate is not Fate.OPEN:
                ended = await self._announcer.ended(after, outcome.pull)
                if ended is not None:
                    self._projection.fold(ended, trace={})
            elif after.promotion.state is State.SUPERSEDED:
                await self._looking.settle(after)
            await self._looking.tell_others(record, outcome.others)
            return
        if not isinstance(outcome, Failure):
            raise TypeError("an opening ends as opened or failed")
        log.info(
            "pull_request.not_opened",
            promotion_id=record.promotion_id,
            reason=outcome.reason.name.lower(),
            tries=job.tries,
        )
        # To wait for what was sent is no try.
        if outcome.retryable and (job.opens_in_s or job.tries < tries_max(job.access.mode)):
            raise Retryable(JobRefusal.FAILED_FOR_NOW, outcome.message, after_s=outcome.after_s)
        failed = await self._announcer.failed(
            record.promotion.ref, outcome, approval_id=job.consent.approval_id
        )
        self._projection.fold(failed, trace={})


def _approval(record: PromotionRecord, event: Message) -> Approval | None:
    granted = record.promotion.granted
    if isinstance(event, ApprovalGranted):
        return next((a for a in granted if a.approval_id == event.approval_id), None)
    return granted[-1] if granted else None


def described(job: Job) -> dict[str, str | int]:
    """Return the attributes of a job's span."""
    ref, to = job.request.promotion, job.request.destination
    return {
        names.PROMOTION_ID: ref.promotion_id,
        names.PROMOTION_ATTEMPT: job.attempt,
        names.PIPELINE_NAME: ref.pipeline.name,
        names.PIPELINE_NAMESPACE: ref.pipeline.namespace,
        names.ENVIRONMENT: ref.environment,
        names.CREDENTIAL_MODE: job.access.mode.name.lower(),
        names.VCS_OWNER: to.owner,
        names.VCS_REPOSITORY_NAME: to.repository,
        names.VCS_BASE_NAME: to.base_branch,
        names.VCS_HEAD_NAME: job.branch,
    }
