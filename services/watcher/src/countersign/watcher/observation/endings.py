"""Ends promotions and Pipelines that are gone. Pure."""

from collections.abc import Mapping

from countersign.contracts.message import Message
from countersign.contracts.promotion import OVER
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.watcher.decision.decisions import decide_deleted
from countersign.watcher.model import Scope
from countersign.watcher.observation.projection import Projection


def endings(
    pipelines: Mapping[ObjectKey, Pipeline], projection: Projection, scope: Scope
) -> tuple[Message, ...]:
    """Promotions first, then the Pipelines; what others look after is left to them."""
    present = {(key.namespace, key.name) for key in pipelines}
    uids = {pipeline.ref.uid for pipeline in pipelines.values()}
    events: list[Message] = []
    for uid in projection.uids():
        if uid not in uids:
            alive = [
                promotion
                for promotion in projection.promotions_of(uid).values()
                if promotion.state not in OVER
                and scope.holds(promotion.ref.pipeline.namespace)
                and scope.is_gone(uid, told_at=promotion.changed_at)
            ]
            events.extend(decide_deleted(alive, now=scope.now))
    for (namespace, name), seen in projection.observed().items():
        if (
            (namespace, name) not in present
            and scope.holds(namespace)
            and scope.is_gone(seen.event.pipeline.uid, told_at=seen.event.observed_at)
        ):
            events.extend(decide_deleted((), last=seen.event, now=scope.now))
    return tuple(events)
