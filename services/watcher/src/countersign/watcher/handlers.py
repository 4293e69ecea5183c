"""Looks at every Pipeline that something happened to, and publishes what follows from it."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    EVENTS,
    PipelineDeleted,
    PipelineObserved,
    PromotionRef,
    PromotionRequested,
    TokenChecked,
)
from countersign.contracts.subjects import event_subject, stream_of
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines import Pipeline
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import carrier, span
from countersign.watcher.credentials import naming
from countersign.watcher.deciding import decide
from countersign.watcher.endings import endings
from countersign.watcher.interfaces import Changes, LinkStore, Publisher
from countersign.watcher.measuring import DECIDED, LAST_CHANGE, NEVER_READ, OBJECTS, UNREADABLE
from countersign.watcher.model import UNSEEN, Problem, Scope, Situation
from countersign.watcher.projection import Projection
from countersign.watcher.world import World, pipeline_key

log = get_logger()

# Enough to hide the round trip to the bus, few enough to leave it to others as well.
AT_ONCE_MAX: Final = 32
RETRY_S: Final = 1.0
# Another watcher that reads the same objects sees a change a moment earlier or later: only what it
# still says differently after that is worth an answer.
REVIEW_S: Final = 5.0
# Flux tells of a success before the object does.
HINT_S: Final = 1.0

Clock = Callable[[], datetime]


class Watching:
    """State of the service: the objects, the streams, and which Pipelines to look at."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        links: LinkStore,
        clock: Clock,
        namespaces: frozenset[str] = frozenset(),
    ) -> None:
        self.world = World()
        self.projection = Projection()
        self.caught_up = asyncio.Event()
        self._publisher = publisher
        self._links = links
        self._clock = clock
        self._scope = Scope(now=clock(), namespaces=namespaces, began=clock())
        self._read = asyncio.Event()
        self._wake = asyncio.Event()
        self._dirty: set[ObjectKey] = set()
        self._later: dict[ObjectKey, float] = {}
        self._unreadable: dict[ObjectKey, Problem] = {}
        self._look_for_gone = True

    def not_ready(self) -> str | None:
        if not self._read.is_set():
            return "objects are not read yet"
        return None if self.caught_up.is_set() else "the streams are not replayed yet"

    async def on_changes(self, changes: Changes) -> None:
        """Objects changed; returns at once, the decision follows."""
        whole_now = changes.complete and not self.world.complete
        self._dirty |= self.world.apply(changes)
        self._look_for_gone |= whole_now or bool(changes.removed)
        if not self._read.is_set():
            self._dirty |= set(self.world.pipelines)
            log.info("objects.read", objects=self.world.objects, complete=changes.complete)
        self._read.set()
        self._measure(changes)
        self._wake.set()

    def on_event(self, event: Message, *, sequence: int, trace: Mapping[str, str]) -> None:
        """Something was stored in a stream, by us or by another service."""
        if not self.projection.apply(event, sequence=sequence, trace=trace):
            return
        LAST_CHANGE.labels(of="streams").set(time.time())
        if (ref := getattr(event, "promotion", None)) is not None:
            self._look_at(ref.pipeline.namespace, ref.pipeline.name, after_s=0)
        elif isinstance(event, PipelineObserved | PipelineDeleted):
            self._look_at(event.pipeline.namespace, event.pipeline.name, after_s=REVIEW_S)
        elif isinstance(event, TokenChecked):
            self.on_hint(naming(self.world.pipelines, event.credential))
        self._look_for_gone = True
        self._wake.set()

    def on_hint(self, keys: Iterable[ObjectKey]) -> None:
        """Somebody says that something happened; many that say so cost one look a second."""
        for key in keys:
            self._look_at(key.namespace, key.name, after_s=HINT_S)
        self._wake.set()

    def on_restarted(self, stream: str) -> None:
        """A stream was made anew: what is pending is asked for, or what is seen is said, again."""
        self.projection.forget(stream)
        log.warning("stream.restarted", stream=stream)
        self._dirty |= set(self.world.pipelines)
        self._wake.set()

    async def run(self) -> None:
        """Decide until cancelled; begins when objects are read and streams replayed."""
        await self._read.wait()
        await self.caught_up.wait()
        while True:
            self._wake.clear()
            await self._pass()
            if not self._dirty:
                await self._sleep()

    async def _pass(self) -> None:
        if self._look_for_gone and self.world.complete:
            self._look_for_gone = False
            await self._end_gone()
        batch = sorted(self._dirty)[:AT_ONCE_MAX]
        self._dirty.difference_update(batch)
        async with asyncio.TaskGroup() as tasks:
            for key in batch:
                tasks.create_task(self._look(key))

    async def _sleep(self) -> None:
        """Until something happens, or what was put off is due."""
        wait_s = min(self._later.values()) - time.monotonic() if self._later else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        now = time.monotonic()
        for key in [key for key, due in self._later.items() if due <= now]:
            del self._later[key]
            self._dirty.add(key)

    def _look_at(self, namespace: str, name: str, *, after_s: float) -> None:
        key = pipeline_key(namespace, name)
        if key not in self.world.pipelines:  # then it is seen soon, or ended in the end
            after_s = UNSEEN.total_seconds()
        if after_s:
            due_at = time.monotonic() + after_s
            self._later[key] = min(due_at, self._later.get(key, due_at))
        else:
            self._dirty.add(key)

    async def _look(self, key: ObjectKey) -> None:
        pipeline = self.world.pipelines.get(key)
        if pipeline is None:
            self._look_for_gone = True
            self._wake.set()
            return
        try:
            started = time.perf_counter()
            decision = decide(self._situation(pipeline))
            DECIDED.labels(of="pipeline").observe(time.perf_counter() - started)
            if pipeline.is_sound:
                # Remembered first: what is published is found again, what is forgotten is not.
                self._links.write(pipeline, decision.links)
            told = self._unreadable.pop(key, None)
            await self._publish(decision.events)
            self._links.published(self._situation(pipeline))
            if self._unreadable.get(key) != told:
                self._dirty.add(key)
        except (Retryable, OSError) as error:
            log.warning("pipeline.put_off", pipeline=str(key), reason=str(error))
            self._later[key] = time.monotonic() + RETRY_S

    def _situation(self, pipeline: Pipeline) -> Situation:
        seen = self.projection.observed().get((pipeline.key.namespace, pipeline.key.name))
        return Situation(
            pipeline=pipeline,
            apps=self.world.apps_of(pipeline),
            source_urls=self.world.source_urls_of(pipeline),
            promotions=self.projection.promotions_of(pipeline.ref.uid),
            links=self._links.read(pipeline),
            observed=seen.event if seen else None,
            problems=(
                *self.world.problems_of(pipeline),
                *((self._unreadable[pipeline.key],) if pipeline.key in self._unreadable else ()),
            ),
            credentials=self.projection.credentials.findings_of(pipeline),
            complete=self.world.tells_absence,
            reads_clusters=self.world.knows_gaps,
            now=self._clock(),
        )

    async def _end_gone(self) -> None:
        scope = replace(self._scope, now=self._clock(), gone=self.world.gone)
        events = endings(self.world.pipelines, self.projection, scope)
        try:
            await self._publish(events)
        except Retryable as error:
            log.warning("deletion.put_off", reason=str(error))
            self._look_for_gone = True
            await asyncio.sleep(RETRY_S)
            self._wake.set()

    async def _publish(self, events: Iterable[Message]) -> None:
        for event in events:
            if isinstance(event, PipelineObserved | PipelineDeleted):
                await self._send(event)
            else:
                await self._publish_promotion(event)

    async def _publish_promotion(self, event: Message) -> None:
        """Within the promotion's trace, which its request begins."""
        ref: PromotionRef = event.promotion  # type: ignore[attr-defined]
        entry = self.projection.entry(ref.promotion_id)
        asks = isinstance(event, PromotionRequested)
        name = names.SPAN_REQUEST_PROMOTION if asks else names.SPAN_COMPLETE_PROMOTION
        described = {
            names.PROMOTION_ID: ref.promotion_id,
            names.PIPELINE_NAMESPACE: ref.pipeline.namespace,
            names.PIPELINE_NAME: ref.pipeline.name,
            names.ENVIRONMENT: ref.environment,
        }
        with span(name, parent=entry.trace if entry else None, attributes=described):
            await self._send(event)
            log.info(
                EVENTS[type(event)].name.replace("-", "_"),
                promotion_id=ref.promotion_id,
                namespace=ref.pipeline.namespace,
                pipeline=ref.pipeline.name,
                environment=ref.environment,
            )

    async def _send(self, event: Message) -> None:
        sequence = 0
        try:
            published = await self._publisher.publish(
                event,
                message_id=self.message_id(event),
                create_once=isinstance(event, PromotionRequested),
            )
            sequence = published.sequence
        except Rejected as refusal:
            if refusal.reason != "exists":
                log.warning("event.refused", type=type(event).__name__, reason=refusal.reason)
                return
            if not await self._is_readable(event):
                return
        self.projection.apply(event, sequence=sequence, trace=carrier())

    async def _is_readable(self, event: Message) -> bool:
        """Whether what was there first is a request: all who read the stream leave out the rest.

        Without this it would be taken for asked, and shown by nobody.
        """
        ref: PromotionRef = event.promotion  # type: ignore[attr-defined]
        key = pipeline_key(ref.pipeline.namespace, ref.pipeline.name)
        kind = type(event)
        try:
            await self._publisher.last(kind, event_subject(event), stream=stream_of(kind))
        except Rejected as refusal:
            log.warning("request.unreadable", promotion_id=ref.promotion_id, reason=refusal.reason)
            self._unreadable[key] = Problem(
                path="",
                message=f"promotion {ref.promotion_id} into {ref.environment} was requested, but "
                "what the stream holds of it cannot be read, so nobody can approve it; whoever "
                "runs NATS must look at it",
            )
            return False
        return True

    def message_id(self, event: Message) -> str:
        """The same for every watcher that says the same in the same place."""
        name = EVENTS[type(event)].name
        if isinstance(event, PipelineObserved | PipelineDeleted):
            place = (event.pipeline.namespace, event.pipeline.name)
            seen = self.projection.observed().get(place)
            times: dict[str, object] = {"observed_at": None, "deleted_at": None}
            fields = {k: v for k, v in times.items() if k in type(event).model_fields}
            digest = hashlib.sha256(event.model_copy(update=fields).to_json()).hexdigest()[:16]
            # With what it follows, so that a return to an earlier state is no duplicate of that.
            return f"{name}:{event.pipeline.uid}:{digest}:{seen.sequence if seen else 0}"
        ref: PromotionRef = event.promotion  # type: ignore[attr-defined]
        return f"{name}:{ref.promotion_id}:{max(1, ref.attempt)}"

    def _measure(self, changes: Changes) -> None:
        OBJECTS.labels(kind="all").set(self.world.objects)
        OBJECTS.labels(kind="Pipeline").set(len(self.world.pipelines))
        NEVER_READ.labels().set(sum(not problem.keys for problem in self.world.problems))
        UNREADABLE.labels(of="files").set(len(self.world.problems))
        if changes.changed or changes.removed:
            LAST_CHANGE.labels(of="objects").set(time.time())
