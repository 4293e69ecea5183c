"""The fate of a pull request, and of its promotion by it."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from countersign.contracts.messages import (
    OpeningStep,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestProgressed,
    PullRequestUpdated,
)
from countersign.contracts.promotion import Note, Promotion, State

# Between a forge's clock and ours, and as long as a forge may answer from a copy that is behind.
SEEN_OPEN_AFTER: Final = timedelta(minutes=2)


def progressed(event: PullRequestProgressed, promotion: Promotion) -> Promotion:
    if promotion.state is not State.OPENING or not promotion.is_trying(event.promotion):
        return promotion
    steps = list(OpeningStep)
    if steps.index(event.step) <= steps.index(promotion.step):
        return promotion
    return replace(promotion, step=event.step, changed_at=event.progressed_at)


def opened(event: PullRequestOpened, promotion: Promotion) -> Promotion:
    is_current = max(1, event.promotion.attempt) == promotion.attempt
    # Not to be known to have succeeded is told as failed; what the forge shows counts.
    is_late = promotion.state is State.FAILED and is_current
    if not (promotion.is_trying(event.promotion) or is_late) or promotion.opened:
        return promotion
    # A forge's webhook may tell of the merge before the writer tells of the opening.
    ahead = not is_late and not promotion.is_before(State.OPEN)
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


def failed(event: PullRequestFailed, promotion: Promotion) -> Promotion:
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


def merged(event: PullRequestMerged, promotion: Promotion) -> Promotion:
    """A merge counts whatever was thought before: closed and opened again, refused, asked anew."""
    attempt = max(1, event.promotion.attempt)
    if attempt > promotion.attempt or attempt in promotion.merged_attempts:
        return promotion
    merged_attempts = promotion.merged_attempts | {attempt}
    if promotion.state is State.DEPLOYING:
        return replace(promotion, merged_attempts=merged_attempts)
    of_now = promotion.pull_request if attempt == promotion.attempt else None
    return replace(
        promotion,
        state=State.DEPLOYING,
        merged=True,
        merged_by=event.by,
        merged_attempts=merged_attempts,
        pull_request=of_now or event.pull_request,
        changed_at=event.merged_at,
    )


def updated(event: PullRequestUpdated, promotion: Promotion) -> Promotion:
    """One that is seen open, well after it was told to be merged, was not: the news was forged."""
    told, seen = promotion.changed_at, event.updated_at
    is_deploying = promotion.state is State.DEPLOYING and promotion.is_trying(event.promotion)
    if not is_deploying or told is None or seen is None or seen <= told + SEEN_OPEN_AFTER:
        return promotion
    return replace(
        promotion,
        state=State.OPEN,
        merged=False,
        merged_by=None,
        merged_attempts=promotion.merged_attempts - {promotion.attempt},
        changed_at=seen,
    )


def closed(event: PullRequestClosed, promotion: Promotion) -> Promotion:
    if not promotion.is_trying(event.promotion) or not promotion.is_before(State.DEPLOYING):
        return promotion
    return replace(
        promotion,
        state=State.CLOSED,
        pull_request=promotion.pull_request or event.pull_request,
        changed_at=event.closed_at,
    )
