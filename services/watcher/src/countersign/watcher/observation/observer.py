"""Looks at every Pipeline that something happened to, and publishes what follows from it."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from countersign.contracts.errors import Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    Finding,
    PipelineDeleted,
    PipelineObserved,
    TokenChecked,
)
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.process.clocks import Clocks
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger
from countersign.watcher.decision.decisions import decide
from countersign.watcher.interfaces import Changes, LinkStore, Publisher
from countersign.watcher.metrics import (
    DECIDED,
    LAST_CHANGE,
    NEVER_READ,
    OBJECTS,
    UNREADABLE,
)
from countersign.watcher.model import UNSEEN, Scope, Situation
from countersign.watcher.observation.agenda import Agenda
from countersign.watcher.observation.credentials import naming
from countersign.watcher.observation.endings import endings
from countersign.watcher.observation.inventory import Inventory, pipeline_key
from countersign.watcher.observation.key_findings import KeyFindings
from countersign.watcher.observation.projection import Projection
from countersign.watcher.observation.publication import Publication

log = get_logger()

# Enough to hide the round trip to the bus, few enough to leave it to others as well.
AT_ONCE_MAX: Final = 32
RETRY_S: Final = 1.0
# Another watcher that reads the same objects sees a change a moment earlier or later: only what it
# still says differently after that is worth an answer.
REVIEW_S: Final = 5.0
# A bug of ours does not go away soon, and each try costs what it cost before.
BROKEN_AGAIN_S: Final = 60.0
# A clock that was set back is noticed by then.
LOOK_AGAIN_MAX_S: Final = 3600.0
# Flux tells of a success before the object does.
HINT_S: Final = 1.0


class Observer:
    """State of the service: the objects, the streams, and which Pipelines to look at."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        links: LinkStore,
        clocks: Clocks,
        namespaces: frozenset[str] = frozenset(),
        board_url: str = "",
    ) -> None:
        self.inventory = Inventory()
        self.projection = Projection()
        self.caught_up = asyncio.Event()
        self.key_findings = KeyFindings()
        self._publication = Publication(publisher, projection=self.projection)
        self._links = links
        self._clocks = clocks
        self._scope = Scope(now=clocks.wall(), namespaces=namespaces, began=clocks.wall())
        self._board_url = board_url
        self._read = asyncio.Event()
        self._agenda = Agenda(monotonic_s=clocks.monotonic)
        self._look_for_gone = True
        self._end_again_at = 0.0

    def not_ready(self) -> str | None:
        if not self._read.is_set():
            return "objects are not read yet"
        return None if self.caught_up.is_set() else "the streams are not replayed yet"

    async def on_changes(self, changes: Changes) -> None:
        """Objects changed; returns at once, the decision follows."""
        whole_now = changes.complete and not self.inventory.complete
        self._agenda.add(*self.inventory.apply(changes))
        self._look_for_gone |= whole_now or bool(changes.removed)
        if not self._read.is_set():
            self._agenda.add(*self.inventory.pipelines)
            log.info("objects.read", objects=self.inventory.objects, complete=changes.complete)
        self._read.set()
        self._measure(changes)
        self._agenda.wake()

    def on_event(self, event: Message, *, sequence: int, trace: Mapping[str, str]) -> None:
        """Something was stored in a stream, by us or by another service."""
        if not self.projection.apply(event, sequence=sequence, trace=trace):
            return
        LAST_CHANGE.labels(of="streams").set(self._clocks.wall().timestamp())
        if (ref := getattr(event, "promotion", None)) is not None:
            self._look_at(ref.pipeline.namespace, ref.pipeline.name, after_s=0)
        elif isinstance(event, PipelineObserved | PipelineDeleted):
            self._compare(event)
            self._look_at(event.pipeline.namespace, event.pipeline.name, after_s=REVIEW_S)
        elif isinstance(event, TokenChecked):
            self.on_hint(naming(self.inventory.pipelines, event.credential))
        self._look_for_gone = True
        self._agenda.wake()

    def _compare(self, event: PipelineObserved | PipelineDeleted) -> None:
        key = pipeline_key(event.pipeline.namespace, event.pipeline.name)
        pipeline = self.inventory.pipelines.get(key)
        if pipeline is not None and isinstance(event, PipelineObserved):
            self.key_findings.compare(pipeline, event)

    def on_hint(self, keys: Iterable[ObjectKey]) -> None:
        """Somebody says that something happened; many that say so cost one look a second."""
        for key in keys:
            self._look_at(key.namespace, key.name, after_s=HINT_S)
        self._agenda.wake()

    def on_restarted(self, stream: str) -> None:
        """A stream was made anew: what is pending is asked for, or what is seen is said, again."""
        self.projection.forget(stream)
        log.warning("stream.restarted", stream=stream)
        self._agenda.add(*self.inventory.pipelines)
        self._agenda.wake()

    async def run(self) -> None:
        """Decide until cancelled; begins when objects are read and streams replayed."""
        await self._read.wait()
        await self.caught_up.wait()
        while True:
            await self._pass()
            await self._agenda.wait(at_most_s=RETRY_S if self._look_for_gone else None)

    async def _pass(self) -> None:
        batch = self._agenda.take(most=AT_ONCE_MAX)
        if (
            self._look_for_gone
            and self.inventory.complete
            and self._clocks.monotonic() >= self._end_again_at
        ):
            self._look_for_gone = False
            await self._end_gone()
        async with asyncio.TaskGroup() as tasks:
            for key in batch:
                tasks.create_task(self._look(key))

    def _look_at(self, namespace: str, name: str, *, after_s: float) -> None:
        key = pipeline_key(namespace, name)
        if key not in self.inventory.pipelines:  # then it is seen soon, or ended in the end
            after_s = UNSEEN.total_seconds()
        if after_s:
            self._agenda.add_later(key, after_s=after_s)
        else:
            self._agenda.add(key)

    async def _look(self, key: ObjectKey) -> None:
        pipeline = self.inventory.pipelines.get(key)
        if pipeline is None:
            self._look_for_gone = True
            self._agenda.wake()
            return
        with one_entry("look at Pipelines", pipeline=str(key)) as entry:
            await self._look_at_one(key, pipeline)
        if entry.failed:
            self._agenda.put_off(key, after_s=BROKEN_AGAIN_S)

    async def _look_at_one(self, key: ObjectKey, pipeline: Pipeline) -> None:
        try:
            started = self._clocks.monotonic()
            decision = decide(self._situation(pipeline))
            DECIDED.labels(of="pipeline").observe(self._clocks.monotonic() - started)
            if pipeline.is_sound:
                # Remembered first: what is published is found again, what is forgotten is not.
                self._links.write(pipeline, decision.links)
            told = self._publication.forget_finding(key)
            await self._publication.publish(decision.events)
            self._links.published(self._situation(pipeline))
            if decision.again_at is not None:
                wait_s = (decision.again_at - self._clocks.wall()).total_seconds()
                self._agenda.add_later(key, after_s=max(RETRY_S, min(wait_s, LOOK_AGAIN_MAX_S)))
            if self._publication.finding_of(key) != told:
                self._agenda.add(key)
        except (Retryable, OSError) as error:
            log.warning("pipeline.put_off", pipeline=str(key), reason=str(error))
            self._agenda.put_off(key, after_s=RETRY_S)

    def _situation(self, pipeline: Pipeline) -> Situation:
        seen = self.projection.observed().get((pipeline.key.namespace, pipeline.key.name))
        observed = seen.event if seen else None
        return Situation(
            pipeline=pipeline,
            apps=self.inventory.apps_of(pipeline),
            source_urls=self.inventory.source_urls_of(pipeline),
            promotions=self.projection.promotions_of(pipeline.ref.uid),
            links=self._links.read(pipeline),
            observed=observed,
            findings=tuple(self._findings_of(pipeline, observed=observed)),
            complete=self.inventory.tells_absence,
            reads_clusters=self.inventory.knows_gaps,
            now=self._clocks.wall(),
            board_url=self._board_url,
        )

    def _findings_of(
        self, pipeline: Pipeline, *, observed: PipelineObserved | None
    ) -> Iterator[Finding]:
        yield from self.inventory.findings_of(pipeline)
        yield from self.key_findings.findings_of(pipeline, observed=observed)
        if (unpublished := self._publication.finding_of(pipeline.key)) is not None:
            yield unpublished
        yield from self.projection.credentials.findings_of(pipeline)

    async def _end_gone(self) -> None:
        scope = replace(self._scope, now=self._clocks.wall(), gone=self.inventory.gone)
        events = endings(self.inventory.pipelines, self.projection, scope)
        try:
            await self._publication.publish(events)
        except Retryable as error:
            log.warning("deletion.put_off", reason=str(error))
            self._look_for_gone = True
            self._end_again_at = self._clocks.monotonic() + RETRY_S

    def _measure(self, changes: Changes) -> None:
        OBJECTS.labels(kind="all").set(self.inventory.objects)
        OBJECTS.labels(kind="Pipeline").set(len(self.inventory.pipelines))
        NEVER_READ.labels().set(sum(not problem.keys for problem in self.inventory.problems))
        UNREADABLE.labels(of="files").set(len(self.inventory.problems))
        if changes.changed or changes.removed:
            LAST_CHANGE.labels(of="objects").set(self._clocks.wall().timestamp())
