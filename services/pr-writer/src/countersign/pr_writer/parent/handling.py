"""Does what the stream asks for: has pull requests opened and closed, and says how it went."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import ApprovalGranted, PromotionSuperseded
from countersign.contracts.promotion import Approval, State
from countersign.pr_writer.jobs.model import (
    Job,
    Outcome,
    afterwards,
    failure_of,
    may_use_stored,
    mode_to_open,
    opening,
    tries_max,
)
from countersign.pr_writer.parent.announcing import Narrator
from countersign.pr_writer.parent.interfaces import ReceivedEvent
from countersign.pr_writer.parent.memory import Memory
from countersign.pr_writer.parent.projection import Entry, Lane
from countersign.pr_writer.parent.world import World
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import span

log = get_logger()

PROJECTION_S: Final = 10.0
DEAD_JOBS_MAX: Final = 1_000


class Handling:
    """Jobs of one replica; in each lane, one at a time."""

    def __init__(self, world: World) -> None:
        self._board = world.board
        self._executors = world.executors
        self._redeemer = world.redeemer
        self._telling = world.telling
        self._forges = world.forges
        self._places = world.places
        self._memory = Memory()
        self._lanes: dict[Lane, asyncio.Lock] = {}
        # Jobs whose executor is known to have ended without a pull request.
        self._dead: dict[str, None] = {}

    async def on_work(self, received: ReceivedEvent) -> None:
        """Do what one event asks for.

        Raises:
            Retryable: to be delivered again.

        """
        try:
            await self._board.reached(received, timeout_s=PROJECTION_S)
        except TimeoutError as error:
            raise Retryable("projection_behind", "the stream is not read so far yet") from error
        event = received.message
        entry = self._entry(event)
        if entry is None:
            log.warning("work.unknown_promotion", event_type=type(event).__name__)
            return
        async with self._lane(entry.lane):
            # What was being done in this lane meanwhile may have settled it.
            entry = self._entry(event) or entry
            if isinstance(event, PromotionSuperseded):
                await self._close(entry)
            else:
                await self._open(entry, event, tries=received.deliveries)

    def _entry(self, event: Message) -> Entry | None:
        ref = getattr(event, "promotion", None)
        return self._board.get(ref.promotion_id) if ref is not None else None

    @asynccontextmanager
    async def _lane(self, lane: Lane) -> AsyncIterator[None]:
        lock = self._lanes.setdefault(lane, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._lanes.pop(lane, None)

    async def _open(self, entry: Entry, event: Message, *, tries: int) -> None:
        promotion = entry.promotion
        mode = mode_to_open(promotion, event)
        if mode is None:
            log.info("work.settled", promotion_id=promotion.promotion_id, state=promotion.state)
            return
        try:
            forge = self._forges.find(promotion.request.destination.origin)
        except Rejected as error:
            await self._telling.failed_early(entry, error)
            return
        job = opening(promotion, mode=mode, approval=_approval(entry, event), forge=forge)
        job = job.model_copy(
            update={
                "tries": tries,
                "recover": _name(job) in self._dead,
                "previous": self._board.previous_pulls(entry),
                "known": self._memory.recall(job),
                **self._places,
            }
        )
        with span(
            names.SPAN_WRITE_PULL_REQUEST,
            parent=entry.trace,
            link_current=True,
            attributes=_described(job),
        ):
            await self._settle(entry, job, tries=tries)

    async def _settle(self, entry: Entry, job: Job, *, tries: int) -> None:
        started = time.monotonic()
        narrator = Narrator(self._telling, job)
        outcome = await self._run(job, narrator)
        if not outcome.failed:
            self._dead.pop(_name(job), None)
            self._memory.learn(job, outcome.learned)
            opened = await self._telling.opened(job, outcome)
            self._telling.measure(narrator, elapsed_s=time.monotonic() - started)
            # Its own echo from the stream may come after the next message of the lane.
            self._board.fold(opened, trace={})
            after = self._board.get(entry.promotion.promotion_id)
            if after is not None and after.promotion.state is State.SUPERSEDED:
                await self._close(after)
            return
        self._remember_dead(job)
        if outcome.retryable and tries < tries_max(job.mode):
            raise Retryable(outcome.failure.name.lower(), outcome.message, after_s=outcome.after_s)
        await self._telling.failed(job, outcome)

    async def _run(self, job: Job, narrator: Narrator) -> Outcome:
        try:
            return await self._executors.run(
                job, on_progress=narrator.on_progress, redeemer=self._redeemer
            )
        except Retryable as error:
            return Outcome(
                failure=failure_of(error.reason),
                message=error.message,
                step=narrator.step,
                retryable=True,
                after_s=error.after_s,
            )
        except Rejected as error:
            return Outcome(
                failure=failure_of(error.reason), message=error.message, step=narrator.step
            )

    def _remember_dead(self, job: Job) -> None:
        self._dead[_name(job)] = None
        while len(self._dead) > DEAD_JOBS_MAX:
            self._dead.pop(next(iter(self._dead)))

    async def _close(self, entry: Entry) -> None:
        """Close at once what a stored or app credential opened; a delegated one is marked only."""
        if entry.pull is None or entry.pull_over or not may_use_stored(entry.pull_mode):
            return
        forge = self._forges.find(entry.promotion.request.destination.origin)
        job = afterwards(
            entry.promotion, kind="close", pull=entry.pull, mode=entry.pull_mode, forge=forge
        ).model_copy(update=self._places)
        with span(
            names.SPAN_FOLLOW_PULL_REQUEST,
            parent=entry.trace,
            link_current=True,
            attributes=_described(job),
        ):
            outcome = await self._run(job, Narrator(self._telling, job))
            if outcome.failed and outcome.retryable:
                raise Retryable(
                    outcome.failure.name.lower(), outcome.message, after_s=outcome.after_s
                )
            if outcome.failed:
                log.warning("pull_request.not_closed", reason=outcome.failure.name.lower())
            elif outcome.closed:
                await self._telling.closed(entry)


def _approval(entry: Entry, event: Message) -> Approval | None:
    granted = entry.promotion.granted
    if isinstance(event, ApprovalGranted):
        return next((a for a in granted if a.approval_id == event.approval_id), None)
    return granted[-1] if granted else None


def _name(job: Job) -> str:
    return f"{job.request.promotion.promotion_id}.{job.attempt}"


def _described(job: Job) -> dict[str, str | int]:
    ref, to = job.request.promotion, job.request.destination
    return {
        names.PROMOTION_ID: ref.promotion_id,
        names.PROMOTION_ATTEMPT: job.attempt,
        names.PIPELINE_NAME: ref.pipeline.name,
        names.PIPELINE_NAMESPACE: ref.pipeline.namespace,
        names.ENVIRONMENT: ref.environment,
        names.CREDENTIAL_MODE: job.mode.name.lower(),
        names.VCS_OWNER: to.owner,
        names.VCS_REPOSITORY_NAME: to.repository,
        names.VCS_BASE_NAME: to.base_branch,
        names.VCS_HEAD_NAME: job.branch,
    }
