"""Moments in the life of a promotion, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    ApprovalRevoked,
    AutoMergeAnswer,
    CredentialMode,
    ForgeUser,
    LabelsAnswer,
    OpeningStep,
    Person,
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
    RevocationOutcome,
)
from countersign.contracts.promotion import Promotion
from countersign.contracts.record.decisions import Heard
from countersign.dialects.pages import pull_request_reference
from countersign.gateway.timeline.failures import failure_words

STEP_NAMES: Final = {
    OpeningStep.UNSPECIFIED: "starting",
    OpeningStep.READING: "reading files",
    OpeningStep.EDITING: "editing",
    OpeningStep.COMMITTING: "committing",
    OpeningStep.OPENING: "opening the pull request",
}

MERGING_WORDS: Final[Mapping[AutoMergeAnswer, str]] = {
    AutoMergeAnswer.UNSPECIFIED: "",
    AutoMergeAnswer.ACCEPTED: ", to be merged by itself once its checks pass",
    AutoMergeAnswer.REFUSED: "; the forge does not merge it by itself, so a person does",
}

LABEL_WORDS: Final[Mapping[LabelsAnswer, str]] = {
    LabelsAnswer.UNSPECIFIED: "",
    LabelsAnswer.GIVEN: "",
    LabelsAnswer.FORBIDDEN: "; without its labels, which the token may not set: a person who"
    " consented before labels were asked for takes the application away in their settings at the"
    " forge, and a stored token needs its scope for them",
    LabelsAnswer.MISSING: "; without those of its labels that the repository does not have",
    LabelsAnswer.REFUSED: "; without its labels, which the forge did not take",
}


def step_name(step: OpeningStep) -> str:
    return STEP_NAMES.get(step, "working")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that happened, when, and by whom."""

    kind: str
    text: str
    at: datetime | None
    who: str = ""
    attempt: int = 1


def moment_of(event: Message, promotion: Promotion, heard: Heard) -> Moment:
    kind, text, who, at = MOMENTS.get(type(event), _unknown)(event)
    return Moment(
        kind=kind, text=text, who=who, at=at or heard.recorded_at, attempt=promotion.attempt
    )


def name_of(person: Person | ForgeUser | None) -> str:
    """Return a person's name as the forge or the sign-in writes it."""
    if person is None:
        return ""
    return person.login if isinstance(person, ForgeUser) else person.name or person.id


def _granted(e: ApprovalGranted) -> tuple[str, str, str, datetime | None]:
    text = {
        CredentialMode.DELEGATED: "delegated a token for this promotion",
        CredentialMode.STORED: "approved with the stored token",
        CredentialMode.APP: "approved; the application opens it",
    }.get(e.mode, "approved")
    if e.needed > 1:
        text += f" ({e.count} of {e.needed})"
    if e.notice:
        text += f"; notice: {e.notice}"
    return "granted", text, name_of(e.by), e.granted_at


def _revoked(e: ApprovalRevoked) -> tuple[str, str, str, datetime | None]:
    text = {
        RevocationOutcome.REVOKED: "the delegated token was revoked at the forge",
        RevocationOutcome.FORGOTTEN: "the delegated token was forgotten; the forge cannot revoke",
        RevocationOutcome.FAILED: "the delegated token could not be revoked",
    }.get(e.outcome, "the delegated token ended")
    return "revoked", text + (f" ({e.reason})" if e.reason else ""), "", e.revoked_at


def _opened(e: PullRequestOpened) -> tuple[str, str, str, datetime | None]:
    who = name_of(e.author) or name_of(e.approver)
    opened = f"pull request {pull_request_reference(e.pull_request)} opened"
    return (
        "opened",
        f"{opened}{MERGING_WORDS[e.auto_merge]}{LABEL_WORDS[e.labels]}",
        who,
        e.opened_at,
    )


def _progressed(e: PullRequestProgressed) -> tuple[str, str, str, datetime | None]:
    return "step", step_name(e.step), "", e.progressed_at


def _unknown(e: Message) -> tuple[str, str, str, datetime | None]:
    """An event that is newer than this table."""
    del e
    return "other", "changed", "", None


_Words = Callable[[Any], tuple[str, str, str, datetime | None]]
MOMENTS: Final[dict[type[Message], _Words]] = {
    PromotionRequested: lambda e: ("requested", "ready to be promoted", "", e.requested_at),
    PromotionRetried: lambda e: (
        "retried",
        "asked for once more",
        name_of(e.by),
        e.retried_at,
    ),
    PromotionSuperseded: lambda e: (
        "superseded",
        e.reason or "overtaken by a newer revision",
        "",
        e.superseded_at,
    ),
    PromotionCompleted: lambda e: (
        "completed",
        "running in all targets" + (", so it was merged" if e.merge_inferred else ""),
        "",
        e.completed_at,
    ),
    PromotionUndone: lambda e: ("undone", e.reason or "undone", "", e.undone_at),
    ApprovalBegun: lambda e: (
        "asked",
        "began signing in at the forge" + (" by a code" if e.device else ""),
        name_of(e.by),
        e.begun_at,
    ),
    ApprovalGranted: _granted,
    ApprovalRejected: lambda e: (
        "rejected",
        f"rejected: “{e.reason}”" if e.reason else "rejected",
        name_of(e.by),
        e.rejected_at,
    ),
    ApprovalExpired: lambda e: (
        "expired",
        e.reason or "the approval ran out",
        "",
        e.expired_at,
    ),
    ApprovalLost: lambda e: (
        "lost",
        "the delegation ended before it was used",
        "",
        e.lost_at,
    ),
    ApprovalRevoked: _revoked,
    PullRequestProgressed: _progressed,
    PullRequestOpened: _opened,
    PullRequestFailed: lambda e: (
        "failed",
        failure_words(e.reason, e.message),
        "",
        e.failed_at,
    ),
    PullRequestMerged: lambda e: ("merged", "merged", name_of(e.by), e.merged_at),
    PullRequestClosed: lambda e: ("closed", "closed without merging", name_of(e.by), e.closed_at),
}
