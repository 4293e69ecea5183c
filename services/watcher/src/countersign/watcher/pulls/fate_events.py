"""The event that the fate of a pull request of ours is told as."""

from datetime import datetime

from countersign.contracts.message import Message
from countersign.contracts.messages import PullRequestClosed, PullRequestMerged, PullRequestRef
from countersign.contracts.promotion import Promotion
from countersign.dialects.hooks.fates import Fate


def is_ours(fate: Fate, ref: PullRequestRef) -> bool:
    """Tell whether it speaks of the very pull request that we opened."""
    return (
        fate.number == ref.number
        and bool(ref.repository_id)
        and fate.repository_id == ref.repository_id
        and fate.head_repository_id == (ref.head_repository_id or ref.repository_id)
        and fate.head_branch == (ref.head_branch or fate.head_branch)
    )


def event_of(fate: Fate, *, promotion: Promotion, ref: PullRequestRef, now: datetime) -> Message:
    if fate.merged:
        return PullRequestMerged(
            promotion=promotion.ref,
            pull_request=ref,
            by=fate.by,
            merge_commit=fate.merge_commit,
            merged_at=fate.at or now,
            mode=promotion.opened_mode,
            author=promotion.author,
            approver=promotion.approver,
        )
    return PullRequestClosed(
        promotion=promotion.ref,
        pull_request=ref,
        by=fate.by,
        closed_at=fate.at or now,
        mode=promotion.opened_mode,
        author=promotion.author,
        approver=promotion.approver,
    )
