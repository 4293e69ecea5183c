"""The life of a promotion: one pure function that every projection folds its events with.

An event that comes twice, late, or for an attempt that is over changes nothing.
"""

from dataclasses import replace
from functools import singledispatch

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    OpeningStep,
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
)
from countersign.contracts.promotion import (
    ATTEMPT_OVER,
    OVER,
    RETRYABLE_REASONS,
    Approval,
    Note,
    Promotion,
    State,
)

__all__ = [
    "ATTEMPT_OVER",
    "OVER",
    "RETRYABLE_REASONS",
    "Approval",
    "Note",
    "Promotion",
    "State",
    "advance",
]


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
    return _apply(event, promotion)


def _begin(event: PromotionRequested) -> Promotion:
    fresh = Promotion(
        request=event,
        state=State.WAITING,
        attempt=max(1, event.promotion.attempt),
        changed_at=event.requested_at,
    )
    return fresh if fresh.needs_consent else replace(fresh, state=State.OPENING)


@singledispatch
def _apply(event: Message, promotion: Promotion) -> Promotion:
    del event
    return promotion


@_apply.register
def _(event: PromotionRetried, promotion: Promotion) -> Promotion:
    if promotion.state not in ATTEMPT_OVER or event.promotion.attempt != promotion.attempt + 1:
        return promotion
    fresh = Promotion(
        request=promotion.request,
        state=State.WAITING if promotion.needs_consent else State.OPENING,
        attempt=event.promotion.attempt,
        requester=event.by,
        spent=promotion.spent | {a.approval_id for a in promotion.approvals},
        changed_at=event.retried_at,
    )
    # A closed pull request stays on record until the new one is opened.
    return replace(fresh, running=promotion.running)


@_apply.register
def _(event: ApprovalBegun, promotion: Promotion) -> Promotion:
    known = any(a.approval_id == event.approval_id for a in promotion.approvals)
    if known or event.approval_id in promotion.spent or not promotion.is_trying(event.promotion):
        return promotion
    if promotion.state not in {State.WAITING, State.ASKED}:
        return promotion
    begun = Approval(
        approval_id=event.approval_id,
        by=event.by,
        replica=event.replica,
        begun_at=event.begun_at,
        expires_at=event.expires_at,
    )
    return replace(
        promotion,
        state=State.ASKED,
        note=Note.NONE,
        note_reason="",
        approvals=(*promotion.approvals, begun),
        changed_at=event.begun_at,
    )


@_apply.register
def _(event: ApprovalGranted, promotion: Promotion) -> Promotion:
    if event.approval_id in promotion.spent or not promotion.is_trying(event.promotion):
        return promotion
    if any(a.approval_id == event.approval_id for a in promotion.granted):
        return promotion
    if not promotion.is_before(State.OPENING):
        return promotion
    earlier = [a for a in promotion.approvals if a.approval_id == event.approval_id]
    granted = Approval(
        approval_id=event.approval_id,
        by=event.by,
        replica=event.replica,
        begun_at=earlier[0].begun_at if earlier else None,
        granted_at=event.granted_at,
        expires_at=event.expires_at,
        mode=event.mode,
        forge_user=event.forge_user,
        consent_digest=event.consent_digest,
    )
    others = tuple(a for a in promotion.approvals if a.approval_id != event.approval_id)
    after = replace(promotion, approvals=(*others, granted), note=Note.NONE, note_reason="")
    state = State.OPENING if after.has_consent else after.state_before_consent
    return replace(after, state=state, changed_at=event.granted_at)


@_apply.register
def _(event: ApprovalRejected, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or not promotion.is_before(State.OPENING):
        return promotion
    return replace(
        promotion,
        state=State.REJECTED,
        rejected_by=event.by,
        reason=event.reason,
        changed_at=event.rejected_at,
    )


def _forget(promotion: Promotion, approval_id: str, *, note: Note, reason: str) -> Promotion:
    """Drop one approval; the promotion waits again if nothing else carries it."""
    if not any(a.approval_id == approval_id for a in promotion.approvals):
        return replace(promotion, spent=promotion.spent | {approval_id})
    left = tuple(a for a in promotion.approvals if a.approval_id != approval_id)
    after = replace(promotion, approvals=left, spent=promotion.spent | {approval_id})
    if not promotion.is_before(State.OPEN) or after.has_consent:
        return after
    return replace(after, state=after.state_before_consent, note=note, note_reason=reason)


@_apply.register
def _(event: ApprovalExpired, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or event.approval_id in promotion.spent:
        return promotion
    after = _forget(promotion, event.approval_id, note=Note.EXPIRED, reason=event.reason)
    return replace(after, changed_at=event.expired_at)


@_apply.register
def _(event: ApprovalLost, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or event.approval_id in promotion.spent:
        return promotion
    reason = f"approval replica {event.replica} is gone"
    after = _forget(promotion, event.approval_id, note=Note.LOST, reason=reason)
    return replace(after, changed_at=event.lost_at)


@_apply.register
def _(event: PullRequestProgressed, promotion: Promotion) -> Promotion:
    if promotion.state is not State.OPENING or not promotion.is_trying(event.promotion):
        return promotion
    steps = list(OpeningStep)
    if steps.index(event.step) <= steps.index(promotion.step):
        return promotion
    return replace(promotion, step=event.step, changed_at=event.progressed_at)


@_apply.register
def _(event: PullRequestOpened, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or promotion.opened:
        return promotion
    # A forge's webhook may tell of the merge before the writer tells of the opening.
    ahead = not promotion.is_before(State.OPEN)
    return replace(
        promotion,
        state=promotion.state if ahead else State.OPEN,
        opened=True,
        note=Note.NONE,
        note_reason="",
        pull_request=event.pull_request,
        author=event.author,
        opened_mode=event.mode,
        files=event.files,
        changed_at=promotion.changed_at if ahead else event.opened_at,
    )


@_apply.register
def _(event: PullRequestFailed, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or not promotion.is_before(State.OPEN):
        return promotion
    if event.approval_id in promotion.spent:
        # Known already to be lost or expired; another may be on its way.
        return promotion
    return replace(
        promotion,
        state=State.FAILED,
        failure=event.reason,
        failure_message=event.message,
        failure_detail=event.detail,
        failure_path=event.path,
        failure_line=event.line,
        step=event.step,
        changed_at=event.failed_at,
    )


@_apply.register
def _(event: PullRequestMerged, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or promotion.state is State.DEPLOYING:
        return promotion
    return replace(
        promotion,
        state=State.DEPLOYING,
        merged=True,
        merged_by=event.by,
        pull_request=promotion.pull_request or event.pull_request,
        changed_at=event.merged_at,
    )


@_apply.register
def _(event: PullRequestClosed, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or not promotion.is_before(State.DEPLOYING):
        return promotion
    return replace(
        promotion,
        state=State.CLOSED,
        pull_request=promotion.pull_request or event.pull_request,
        changed_at=event.closed_at,
    )


@_apply.register
def _(event: PromotionSuperseded, promotion: Promotion) -> Promotion:
    return replace(
        promotion,
        state=State.SUPERSEDED,
        reason=event.reason,
        superseded_by=event.by_promotion_id,
        changed_at=event.superseded_at,
    )


@_apply.register
def _(event: PromotionCompleted, promotion: Promotion) -> Promotion:
    return replace(
        promotion,
        state=State.COMPLETED,
        running=event.revision,
        changed_at=event.completed_at,
    )


@_apply.register
def _(event: PromotionUndone, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or promotion.state is not State.DEPLOYING:
        return promotion
    return replace(
        promotion,
        state=State.UNDONE,
        running=event.running,
        reason=event.reason,
        changed_at=event.undone_at,
    )
