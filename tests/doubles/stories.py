"""Events about one promotion, made short for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from countersign.contracts import messages as m

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PIPELINE = m.PipelineRef(namespace="shop", name="checkout", uid="uid-1", generation=1)
REVISION = m.Revision(recorded="6.9.1", version="6.9.1")
DESTINATION = m.Destination(
    kind=m.ForgeKind.GITHUB,
    origin="https://github.com",
    owner="shop",
    repository="gitops",
    base_branch="main",
)
PULL_REQUEST = m.PullRequestRef(
    kind=m.ForgeKind.GITHUB,
    origin="https://github.com",
    owner="shop",
    repository="gitops",
    number=7,
)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def ref(attempt: int = 1) -> m.PromotionRef:
    return m.PromotionRef(
        promotion_id="p" * 16, pipeline=PIPELINE, environment="prod", attempt=attempt
    )


def person(name: str) -> m.Person:
    return m.Person(id=name, name=name.title())


def requested(**changes: Any) -> m.PromotionRequested:
    values: dict[str, Any] = {
        "promotion": ref(),
        "app": m.ObjectRef(kind="HelmRelease", name="checkout"),
        "from_environment": "staging",
        "content": m.Content(identity="6.9.1", revision=REVISION),
        "destination": DESTINATION,
        "marker_key": "shop:checkout:prod",
        "mode": m.CredentialMode.DELEGATED,
        "requested_at": START,
    }
    return m.PromotionRequested(**{**values, **changes})


def begun(approval_id: str, *, by: str = "ada", attempt: int = 1) -> m.ApprovalBegun:
    return m.ApprovalBegun(promotion=ref(attempt), approval_id=approval_id, by=person(by))


def granted(
    approval_id: str, *, by: str = "ada", attempt: int = 1, account: str = ""
) -> m.ApprovalGranted:
    return m.ApprovalGranted(
        promotion=ref(attempt),
        approval_id=approval_id,
        by=person(by),
        consent_digest="d" * 64,
        forge_user=m.ForgeUser(id=account, login=account) if account else None,
    )


def rejected(*, by: str = "grace", attempt: int = 1) -> m.ApprovalRejected:
    return m.ApprovalRejected(promotion=ref(attempt), by=person(by), reason="not today")


def expired(approval_id: str, *, attempt: int = 1) -> m.ApprovalExpired:
    return m.ApprovalExpired(promotion=ref(attempt), approval_id=approval_id, reason="late")


def lost(approval_id: str, *, attempt: int = 1) -> m.ApprovalLost:
    return m.ApprovalLost(promotion=ref(attempt), approval_id=approval_id, replica="approval-0")


def progressed(step: m.OpeningStep, *, attempt: int = 1) -> m.PullRequestProgressed:
    return m.PullRequestProgressed(promotion=ref(attempt), step=step)


def opened(*, attempt: int = 1) -> m.PullRequestOpened:
    return m.PullRequestOpened(
        promotion=ref(attempt),
        pull_request=PULL_REQUEST,
        author=m.ForgeUser(id="1001", login="ada"),
        files=("prod.yaml",),
    )


def failed(
    *,
    attempt: int = 1,
    reason: m.FailureReason = m.FailureReason.NO_MARKER,
    approval_id: str = "",
) -> m.PullRequestFailed:
    return m.PullRequestFailed(
        promotion=ref(attempt), reason=reason, message="no marker", approval_id=approval_id
    )


def merged(*, attempt: int = 1) -> m.PullRequestMerged:
    return m.PullRequestMerged(promotion=ref(attempt), pull_request=PULL_REQUEST)


def closed(*, attempt: int = 1) -> m.PullRequestClosed:
    return m.PullRequestClosed(promotion=ref(attempt), pull_request=PULL_REQUEST)


def retried(attempt: int) -> m.PromotionRetried:
    return m.PromotionRetried(promotion=ref(attempt), by=person("ada"))


def superseded(*, attempt: int = 1) -> m.PromotionSuperseded:
    return m.PromotionSuperseded(promotion=ref(attempt), reason="staging runs 6.9.2")


def completed(*, attempt: int = 1) -> m.PromotionCompleted:
    return m.PromotionCompleted(promotion=ref(attempt), revision=REVISION)


def undone(*, attempt: int = 1) -> m.PromotionUndone:
    return m.PromotionUndone(promotion=ref(attempt), reason="rolled back")
