"""New attempts at a promotion, and the ends of one."""

from dataclasses import replace

from countersign.contracts.life.consents import spent
from countersign.contracts.messages import (
    PromotionCompleted,
    PromotionRetried,
    PromotionSuperseded,
    PromotionUndone,
)
from countersign.contracts.promotion import (
    ATTEMPT_OVER,
    EARLIER_MAX,
    AttemptedPull,
    Promotion,
    State,
)

# A person may ask again for what is open or merged and does not end by itself.
_RETRIED_FROM = ATTEMPT_OVER | {State.OPEN, State.DEPLOYING}


def retried(event: PromotionRetried, promotion: Promotion) -> Promotion:
    if promotion.state not in _RETRIED_FROM or event.promotion.attempt != promotion.attempt + 1:
        return promotion
    earlier = promotion.earlier
    if promotion.pull_request is not None:
        pull = AttemptedPull(attempt=promotion.attempt, pull_request=promotion.pull_request)
        earlier = (*earlier, pull)[-EARLIER_MAX:]
    fresh = Promotion(
        request=promotion.request,
        state=State.WAITING if promotion.needs_consent else State.OPENING,
        attempt=event.promotion.attempt,
        requester=event.by,
        spent=spent(promotion, *(a.approval_id for a in promotion.approvals)),
        merged_attempts=promotion.merged_attempts,
        earlier=earlier,
        changed_at=event.retried_at,
    )
    return replace(fresh, running=promotion.running)


def superseded(event: PromotionSuperseded, promotion: Promotion) -> Promotion:
    return replace(
        promotion,
        state=State.SUPERSEDED,
        reason=event.reason,
        superseded_by=event.by_promotion_id,
        changed_at=event.superseded_at,
    )


def completed(event: PromotionCompleted, promotion: Promotion) -> Promotion:
    return replace(
        promotion,
        state=State.COMPLETED,
        running=event.revision,
        changed_at=event.completed_at,
    )


def undone(event: PromotionUndone, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or promotion.state is not State.DEPLOYING:
        return promotion
    return replace(
        promotion,
        state=State.UNDONE,
        running=event.running,
        reason=event.reason,
        changed_at=event.undone_at,
    )
