"""The event that the fate of a pull request of ours is told as."""

from datetime import datetime

from countersign.contracts.messages import PullRequestClosed, PullRequestMerged, PullRequestRef
from countersign.contracts.promotion import AttemptedPull, Promotion
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


def pull_of(fate: Fate, promotion: Promotion) -> AttemptedPull | None:
    """Find the pull request it speaks of: that of the current attempt, or of an earlier one."""
    pulls = list(promotion.earlier)
    if promotion.pull_request is not None:
        pulls.append(AttemptedPull(attempt=promotion.attempt, pull_request=promotion.pull_request))
    return next((pull for pull in reversed(pulls) if is_ours(fate, pull.pull_request)), None)


def event_of(
    fate: Fate, *, promotion: Promotion, pull: AttemptedPull, now: datetime
) -> PullRequestMerged | PullRequestClosed:
    ref = promotion.ref.model_copy(update={"attempt": pull.attempt})
    # A time to come would keep anybody from seeing later that it is not so.
    at = min(fate.at or now, now)
    if fate.merged:
        return PullRequestMerged(
            promotion=ref,
            pull_request=pull.pull_request,
            by=fate.by,
            merge_commit=fate.merge_commit,
            merged_at=at,
            mode=promotion.opened_mode,
            author=promotion.author,
            approver=promotion.approver,
        )
    return PullRequestClosed(
        promotion=ref,
        pull_request=pull.pull_request,
        by=fate.by,
        closed_at=at,
        mode=promotion.opened_mode,
        author=promotion.author,
        approver=promotion.approver,
    )
