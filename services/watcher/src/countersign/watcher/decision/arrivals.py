"""Promotions that the environment has answered: it runs them, or has come back from them."""

from collections.abc import Iterable, Iterator
from typing import Final

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    EnvironmentCondition,
    PromotionCompleted,
    PromotionUndone,
    Revision,
)
from countersign.contracts.promotion import Promotion, State
from countersign.contracts.revision import short
from countersign.kube.flux.applications import AppState
from countersign.watcher.decision.contents import is_there
from countersign.watcher.model import Link, Situation, Stage

# An undone promotion may yet arrive: the rollback is lifted, or Flux tries again.
_UNDER_WAY: Final = frozenset({State.OPEN, State.DEPLOYING, State.UNDONE})


def arrivals(
    situation: Situation, *, stage: Stage, promotions: Iterable[Promotion], link: Link
) -> Iterator[Message]:
    for promotion in promotions:
        if promotion.state in _UNDER_WAY and is_there(promotion.request.content, stage.content):
            yield PromotionCompleted(
                promotion=promotion.ref,
                revision=stage.content.revision if stage.content else None,
                completed_at=situation.now,
            )
        elif promotion.state is State.DEPLOYING and promotion.promotion_id == link.promotion_id:
            yield from _undone(situation, stage=stage, promotion=promotion, link=link)


def _undone(
    situation: Situation, *, stage: Stage, promotion: Promotion, link: Link
) -> Iterator[PromotionUndone]:
    """Only after the environment was seen to try it: until then it has merely not noticed."""
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
    """What it runs instead, once no target moves any more and none has the content."""
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
    """What the objects' own history tells a watcher that was not there to see it."""
    merged_at = promotion.changed_at
    recorded = promotion.request.content.revision.recorded
    return merged_at is not None and any(
        trial.recorded == recorded and trial.at > merged_at
        for app in stage.apps
        for trial in app.trials
    )
