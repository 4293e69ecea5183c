"""Promotions that the environment has answered: it runs them, or has come back from them."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    EnvironmentCondition,
    FailureReason,
    PromotionCompleted,
    PromotionUndone,
    Revision,
)
from countersign.contracts.promotion import OVER, Promotion, State
from countersign.contracts.revision import short
from countersign.kube.flux.applications import AppState
from countersign.watcher.decision.contents import is_there, is_written
from countersign.watcher.model import Link, Situation, Stage

# An undone promotion may yet arrive: the rollback is lifted, or Flux tries again.
# The merge is told by the forge's clock, a trial by the cluster's.
SKEW_MAX: Final = timedelta(minutes=2)
_UNDER_WAY: Final = frozenset({State.OPEN, State.DEPLOYING, State.UNDONE})


def arrivals(
    situation: Situation, *, stage: Stage, promotions: Iterable[Promotion], link: Link
) -> Iterator[Message]:
    for promotion in promotions:
        if _has_arrived(promotion, stage=stage):
            yield PromotionCompleted(
                promotion=promotion.ref,
                revision=stage.content.revision if stage.content else None,
                completed_at=situation.now,
                # The webhook may have been lost; it is asked for where a token allows it.
                merge_inferred=promotion.state is State.OPEN,
            )
        elif promotion.state is State.DEPLOYING and promotion.promotion_id == link.promotion_id:
            yield from _undone(situation, stage=stage, promotion=promotion, link=link)


def _has_arrived(promotion: Promotion, *, stage: Stage) -> bool:
    """Tell whether it is there; what the file names already can come no nearer than its version."""
    content = promotion.request.content
    if promotion.state in _UNDER_WAY and is_there(content, stage.content):
        return True
    already = promotion.state is State.FAILED and promotion.failure is FailureReason.ALREADY_THERE
    if promotion.state in OVER or not (promotion.merged or already):
        return False
    return is_written(content, stage.content)


def _undone(
    situation: Situation, *, stage: Stage, promotion: Promotion, link: Link
) -> Iterator[PromotionUndone]:
    """Tell it only once the environment was seen to try: until then it has merely not noticed."""
    running = _settled_elsewhere(stage, promotion)
    tried = link.tried >= promotion.attempt or _tried_since_merge(stage, promotion)
    if running is None or not tried:
        return
    reason = f"{stage.name} is back on {short(running)}"
    yield PromotionUndone(
        promotion=promotion.ref,
        running=running,
        reason=f"{reason}: {stage.message}" if stage.message else reason,
        undone_at=situation.now,
    )


def _settled_elsewhere(stage: Stage, promotion: Promotion) -> Revision | None:
    """Find what it runs instead, once no target moves any more and none has the content."""
    found = [_settled_on(app) for app in stage.apps]
    if not found or any(revision is None for revision in found):
        return None
    if any(is_there(promotion.request.content, app.content) for app in stage.apps):
        return None
    return found[0]


def _settled_on(app: AppState) -> Revision | None:
    if app.condition is EnvironmentCondition.HEALTHY and app.content is not None:
        return app.content.revision
    return app.rolled_back


def _tried_since_merge(stage: Stage, promotion: Promotion) -> bool:
    """Ask the objects' own history, for a watcher that was not there to see it."""
    merged_at = promotion.changed_at
    recorded = promotion.request.content.revision.recorded
    return merged_at is not None and any(
        trial.recorded == recorded and trial.at - merged_at > SKEW_MAX
        for app in stage.apps
        for trial in app.trials
    )
