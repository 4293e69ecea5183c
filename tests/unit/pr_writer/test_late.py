"""Until when a request of an attempt that was given up may still take effect."""

from datetime import UTC, datetime

import pytest
from doubles import stories

from countersign.contracts.messages import FailureReason, OpeningStep
from countersign.pr_writer.parent.projection import Projection
from countersign.pr_writer.parent.records import PromotionRecord

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _failed(reason: FailureReason, step: OpeningStep) -> PromotionRecord:
    projection = Projection(clock=lambda: NOW, monotonic=lambda: 1000.0)
    for event in (
        stories.requested(),
        stories.begun("a1"),
        stories.granted("a1"),
        stories.failed().model_copy(update={"reason": reason, "step": step}),
    ):
        projection.fold(event, trace={})
    (record,) = projection.records()
    return record


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        (FailureReason.DELEGATION_EXPIRED, OpeningStep.UNSPECIFIED),
        (FailureReason.CREDENTIAL_MISSING, OpeningStep.UNSPECIFIED),
        (FailureReason.UNAUTHORIZED, OpeningStep.READING),
        (FailureReason.NO_MARKER, OpeningStep.EDITING),
    ],
)
def test_attempt_that_sent_nothing_holds_up_nobody(
    reason: FailureReason, step: OpeningStep
) -> None:
    assert _failed(reason, step).late.until_s == 0


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        # An executor that died says neither how far it was nor why.
        (FailureReason.INTERNAL, OpeningStep.UNSPECIFIED),
        (FailureReason.FORGE_UNAVAILABLE, OpeningStep.OPENING),
    ],
)
def test_attempt_that_may_have_sent_its_request_holds_up_the_next(
    reason: FailureReason, step: OpeningStep
) -> None:
    assert _failed(reason, step).late.until_s > 1000


def test_event_that_names_no_attempt_is_of_the_first_one() -> None:
    projection = Projection(clock=lambda: NOW, monotonic=lambda: 1000.0)
    lost = stories.lost("a1", attempt=0)
    for event in (stories.requested(), stories.begun("a1"), stories.granted("a1"), lost):
        projection.fold(event, trace={})
    (record,) = projection.records()

    assert record.late.until_s > 1000
    assert record.late.earlier_until_s == 0
