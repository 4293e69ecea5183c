"""Fold an event into a promotion: one table from events to what they do."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from countersign.contracts.life import attempts, consents, pull_requests
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    PromotionCompleted,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
    PromotionUndone,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestProgressed,
    PullRequestUpdated,
)
from countersign.contracts.promotion import OVER, Promotion, State

_HANDLERS: Final[Mapping[type[Message], Callable[[Any, Promotion], Promotion]]] = {
    PromotionRetried: attempts.retried,
    PromotionSuperseded: attempts.superseded,
    PromotionCompleted: attempts.completed,
    PromotionUndone: attempts.undone,
    ApprovalBegun: consents.begun,
    ApprovalGranted: consents.granted,
    ApprovalRejected: consents.rejected,
    ApprovalExpired: consents.expired,
    ApprovalLost: consents.lost,
    PullRequestProgressed: pull_requests.progressed,
    PullRequestOpened: pull_requests.opened,
    PullRequestFailed: pull_requests.failed,
    PullRequestUpdated: pull_requests.updated,
    PullRequestMerged: pull_requests.merged,
    PullRequestClosed: pull_requests.closed,
}


def advance(promotion: Promotion | None, event: Message) -> Promotion | None:
    """The promotion after the event.

    Args:
        promotion: none before `promotion.requested`.
        event: any message; one about another promotion must not be passed.

    Returns:
        The same object when the event changes nothing.

    """
    if promotion is None:
        return _begin(event) if isinstance(event, PromotionRequested) else None
    if promotion.state in OVER:
        return promotion
    handler = _HANDLERS.get(type(event))
    return promotion if handler is None else handler(event, promotion)


def _begin(event: PromotionRequested) -> Promotion:
    fresh = Promotion(
        request=event,
        state=State.WAITING,
        attempt=max(1, event.promotion.attempt),
        changed_at=event.requested_at,
    )
    return fresh if fresh.needs_consent else replace(fresh, state=State.OPENING)
