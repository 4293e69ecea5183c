"""Tells each step of a promotion as an Event of its Pipeline.

Best effort: what comes faster than anybody could read, and what cannot be told in time, is dropped
and counted. The streams are the record.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import PromotionRef
from countersign.kube.access.api import ClusterApi
from countersign.kube.refusals import ClusterRefusal
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger
from countersign.watcher.interfaces import Sleep
from countersign.watcher.metrics import STEPS_TOLD
from countersign.watcher.status.steps import event_object, step_of

log = get_logger()

# An API server forgets Events after an hour by default: within that, one told twice is known.
RECENT: Final = timedelta(minutes=10)
QUEUE_MAX: Final = 500
TRIES_MAX: Final = 4
RETRY_S: Final = 1.0
# A promotion has about five steps; who tries again and again is not told of without end.
PIPELINE_STEPS_MAX: Final = 40
PIPELINES_MAX: Final = 10_000


class StepEvents:
    def __init__(
        self, api: ClusterApi, *, clock: Callable[[], datetime], sleep: Sleep, instance: str
    ) -> None:
        self._api = api
        self._clock = clock
        self._sleep = sleep
        self._instance = instance
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUE_MAX)
        # Since when, and how many: by uid of the Pipeline.
        self._told: BoundedDict[str, tuple[datetime, int]] = BoundedDict(PIPELINES_MAX)
        self._complained = False

    def on_event(self, event: Message, *, recorded_at: datetime) -> None:
        """Something was stored in a stream. What is old was told when it was new."""
        now = self._clock()
        step = step_of(event)
        if step is None or now - recorded_at > RECENT:
            return
        ref: PromotionRef = event.promotion  # type: ignore[attr-defined]
        if not self._takes(ref.pipeline.uid, now=now):
            STEPS_TOLD.labels(outcome="limited").inc()
            return
        try:
            self._queue.put_nowait(
                event_object(event, step, recorded_at=recorded_at, instance=self._instance)
            )
        except asyncio.QueueFull:
            STEPS_TOLD.labels(outcome="dropped").inc()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            body = await self._queue.get()
            with one_entry("tell steps", step=body["metadata"]["name"]):
                STEPS_TOLD.labels(outcome=await self._tell(body)).inc()

    async def _tell(self, body: dict[str, Any]) -> str:
        namespace = body["metadata"]["namespace"]
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        for attempt in range(TRIES_MAX):
            try:
                await self._api.call("POST", path, body=body)
            except Rejected as refusal:
                if refusal.reason is ClusterRefusal.CONFLICT:
                    return "known"
                self._complain(refusal)
                return refusal.reason
            except Retryable as error:
                await self._sleep(error.after_s or RETRY_S * 2**attempt)
                continue
            self._complained = False
            return "told"
        return "dropped"

    def _complain(self, refusal: Rejected) -> None:
        if not self._complained:
            log.warning("step.not_told", reason=refusal.reason, message=refusal.message)
        self._complained = True

    def _takes(self, uid: str, *, now: datetime) -> bool:
        since, count = self._told.get(uid, (now, 0))
        if now - since > RECENT:
            since, count = now, 0
        self._told[uid] = since, count + 1
        return count < PIPELINE_STEPS_MAX
