"""Sign-ins and approvals, and their ends."""

from dataclasses import replace

from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
)
from countersign.contracts.promotion import (
    APPROVALS_MAX,
    SPENT_MAX,
    Approval,
    Note,
    Promotion,
    State,
)


def begun(event: ApprovalBegun, promotion: Promotion) -> Promotion:
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
    roomy = _with_room(promotion)
    return replace(
        roomy,
        state=State.ASKED,
        note=Note.NONE,
        note_reason="",
        approvals=(*roomy.approvals, begun),
        changed_at=event.begun_at,
    )


def _with_room(promotion: Promotion) -> Promotion:
    """Forget the oldest sign-in where there are more than anybody needs."""
    oldest = next((a for a in promotion.approvals if not a.is_given), None)
    if len(promotion.approvals) < APPROVALS_MAX or oldest is None:
        return promotion
    left = tuple(a for a in promotion.approvals if a is not oldest)
    return replace(promotion, approvals=left, spent=spent(promotion, oldest.approval_id))


def granted(event: ApprovalGranted, promotion: Promotion) -> Promotion:
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


def rejected(event: ApprovalRejected, promotion: Promotion) -> Promotion:
    """Refuse it before anything was opened, or give up what is open or merged."""
    stuck = promotion.state in {State.OPEN, State.DEPLOYING}
    if not promotion.is_trying(event.promotion):
        return promotion
    if not (stuck or promotion.is_before(State.OPENING)):
        return promotion
    return replace(
        promotion,
        state=State.REJECTED,
        rejected_by=event.by,
        reason=event.reason,
        changed_at=event.rejected_at,
    )


def expired(event: ApprovalExpired, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or event.approval_id in promotion.spent:
        return promotion
    after = _forget(promotion, event.approval_id, note=Note.EXPIRED, reason=event.reason)
    return replace(after, changed_at=event.expired_at)


def lost(event: ApprovalLost, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or event.approval_id in promotion.spent:
        return promotion
    reason = f"approval replica {event.replica} is gone"
    after = _forget(promotion, event.approval_id, note=Note.LOST, reason=reason)
    return replace(after, changed_at=event.lost_at)


def _forget(promotion: Promotion, approval_id: str, *, note: Note, reason: str) -> Promotion:
    """Drop one approval; the promotion waits again if nothing else carries it."""
    if not any(a.approval_id == approval_id for a in promotion.approvals):
        return replace(promotion, spent=spent(promotion, approval_id))
    left = tuple(a for a in promotion.approvals if a.approval_id != approval_id)
    after = replace(promotion, approvals=left, spent=spent(promotion, approval_id))
    if not promotion.is_before(State.OPEN) or after.has_consent:
        return after
    return replace(after, state=after.state_before_consent, note=note, note_reason=reason)


def spent(promotion: Promotion, *approval_ids: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*promotion.spent, *approval_ids)))[-SPENT_MAX:]
