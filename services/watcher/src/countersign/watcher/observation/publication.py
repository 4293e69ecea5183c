"""Publishes what follows from a look at a Pipeline, once for all watchers that say the same."""

import hashlib
from collections.abc import Iterable, Mapping

from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    EVENTS,
    Finding,
    FindingLevel,
    PipelineDeleted,
    PipelineObserved,
    PromotionCompleted,
    PromotionRef,
    PromotionRequested,
)
from countersign.contracts.subjects import event_subject, fact_id, stream_of
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode
from countersign.messaging.refusals import BusRefusal
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import carrier, span
from countersign.watcher.decision.observations import TOO_LONG, says_the_same, without_what_is_long
from countersign.watcher.interfaces import Publisher
from countersign.watcher.metrics import LEAD_SECONDS, REVISION_LEAD_SECONDS
from countersign.watcher.observation.inventory import pipeline_key
from countersign.watcher.observation.projection import Projection

log = get_logger()


class Publication:
    """Remembers of which Pipelines a request is not taken, or is there and cannot be read."""

    def __init__(self, publisher: Publisher, *, projection: Projection) -> None:
        self._publisher = publisher
        self._projection = projection
        self._findings: dict[ObjectKey, Finding] = {}

    def finding_of(self, key: ObjectKey) -> Finding | None:
        return self._findings.get(key)

    def forget_finding(self, key: ObjectKey) -> Finding | None:
        return self._findings.pop(key, None)

    async def publish(self, events: Iterable[Message]) -> None:
        for event in events:
            if isinstance(event, PipelineObserved | PipelineDeleted):
                await self._send(event)
            else:
                await self._publish_promotion(event)

    async def _publish_promotion(self, event: Message) -> None:
        """Publish it within the promotion's trace, which its request begins."""
        ref: PromotionRef = event.promotion  # type: ignore[attr-defined]
        entry = self._projection.entry(ref.promotion_id)
        name, below = names.SPAN_COMPLETE_PROMOTION, list[Mapping[str, str]]()
        if isinstance(event, PromotionRequested):
            name = names.SPAN_REQUEST_PROMOTION
            below = [earlier.trace for earlier in self._projection.earlier(event)[-1:]]
        described = {
            names.PROMOTION_ID: ref.promotion_id,
            names.PIPELINE_NAMESPACE: ref.pipeline.namespace,
            names.PIPELINE_NAME: ref.pipeline.name,
            names.ENVIRONMENT: ref.environment,
        }
        trace = entry.trace if entry else None
        with span(name, parent=trace, links=below, attributes=described):
            if not await self._send(event):
                return
            if isinstance(event, PromotionCompleted) and entry is not None:
                self._measure_lead(event, entry.promotion.request)
            log.info(
                EVENTS[type(event)].name.replace("-", "_"),
                promotion_id=ref.promotion_id,
                namespace=ref.pipeline.namespace,
                pipeline=ref.pipeline.name,
                environment=ref.environment,
            )

    def _measure_lead(self, event: PromotionCompleted, request: PromotionRequested) -> None:
        done, environment = event.completed_at, event.promotion.environment
        first = next(
            (earlier.promotion.request for earlier in self._projection.earlier(request)), request
        )
        made = request.content_created_at or first.requested_at
        for since, histogram in (
            (request.requested_at, LEAD_SECONDS),
            (made, REVISION_LEAD_SECONDS),
        ):
            if since is not None and done is not None:
                seconds = max(0.0, (done - since).total_seconds())
                histogram.labels(environment=environment).observe(seconds)

    async def _send(self, event: Message) -> bool:
        """Publish it; returns whether it is in the stream now, by us or by another watcher."""
        sequence = 0
        try:
            published = await self._publisher.publish(
                event,
                message_id=self._message_id(event),
                create_once=isinstance(event, PromotionRequested),
            )
            sequence = published.sequence
        except Rejected as refusal:
            if refusal.reason is not BusRefusal.EXISTS:
                log.warning("event.refused", type=type(event).__name__, reason=refusal.reason)
                if refusal.reason is BusRefusal.TOO_LARGE:
                    await self._send_less(event)
                return False
            if not await self._is_readable(event):
                return False
        self._projection.apply(event, sequence=sequence, trace=carrier())
        return True

    async def _send_less(self, event: Message) -> None:
        """Whoever wrote what is too long for the bus must see that, where they look."""
        if isinstance(event, PipelineObserved):
            ref, less = event.pipeline, without_what_is_long(event)
            seen = self._projection.observed().get((ref.namespace, ref.name))
            if less != event and not says_the_same(seen.event if seen else None, less):
                await self._send(less)
        elif isinstance(event, PromotionRequested):
            ref = event.promotion.pipeline
            self._findings[pipeline_key(ref.namespace, ref.name)] = Finding(
                level=FindingLevel.WARNING,
                code=FindingCode.TOO_LARGE,
                message=f"nothing can be promoted into {event.promotion.environment}: {TOO_LONG}",
            )

    async def _is_readable(self, event: Message) -> bool:
        """Tell whether what was there first is a request: readers of the stream leave out the rest.

        Without this it would be taken for asked, and shown by nobody.
        """
        ref: PromotionRef = event.promotion  # type: ignore[attr-defined]
        key = pipeline_key(ref.pipeline.namespace, ref.pipeline.name)
        kind = type(event)
        try:
            await self._publisher.last(kind, event_subject(event), stream=stream_of(kind))
        except Rejected as refusal:
            log.warning("request.unreadable", promotion_id=ref.promotion_id, reason=refusal.reason)
            self._findings[key] = Finding(
                level=FindingLevel.ERROR,
                code=FindingCode.REQUEST_UNREADABLE,
                message=f"promotion {ref.promotion_id} into {ref.environment} was requested, but "
                "what the stream holds of it cannot be read, so nobody can approve it; whoever "
                "runs NATS must look at it",
            )
            return False
        return True

    def _message_id(self, event: Message) -> str:
        """The same for every watcher that says the same in the same place."""
        if isinstance(event, PipelineObserved | PipelineDeleted):
            name = EVENTS[type(event)].name
            place = (event.pipeline.namespace, event.pipeline.name)
            seen = self._projection.observed().get(place)
            times: dict[str, object] = {"observed_at": None, "deleted_at": None}
            fields = {k: v for k, v in times.items() if k in type(event).model_fields}
            digest = hashlib.sha256(event.model_copy(update=fields).to_json()).hexdigest()[:16]
            # With what it follows, so that a return to an earlier state is no duplicate of that.
            return f"{name}:{event.pipeline.uid}:{digest}:{seen.sequence if seen else 0}"
        return fact_id(event)
