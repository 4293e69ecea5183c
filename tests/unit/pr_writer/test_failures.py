"""Every reason of every boundary has the contract's word."""

from enum import StrEnum

import pytest
from doubles.made_up_refusals import MadeUp

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import FailureDetail, FailureReason, OpeningStep
from countersign.contracts.refusals import ContractRefusal
from countersign.dialects.refusals import ForgeRefusal
from countersign.messaging.refusals import BusRefusal
from countersign.pr_writer.executor import failures as executors
from countersign.pr_writer.jobs.failures import failure
from countersign.pr_writer.jobs.refusals import JOB_FAILURES, JobRefusal, JobRejected
from countersign.pr_writer.parent import failures as parents


@pytest.mark.parametrize(
    ("reasons", "table"),
    [
        (JobRefusal, JOB_FAILURES),
        (ForgeRefusal, executors.FORGE_FAILURES),
        (ContractRefusal, executors.CONTRACT_FAILURES),
        (BusRefusal, parents.BUS_FAILURES),
    ],
)
def test_every_reason_has_a_word(
    reasons: type[StrEnum], table: dict[StrEnum, FailureReason]
) -> None:
    assert set(table) == set(reasons)
    assert FailureReason.UNSPECIFIED not in table.values()


def test_word_of_one_boundary_is_not_taken_for_anothers() -> None:
    """Two boundaries spell a reason alike; its type says whose it is."""
    assert executors.reason_of(ForgeRefusal.CREDENTIAL_MISSING) is FailureReason.CREDENTIAL_MISSING
    assert parents.failure_of(Retryable(BusRefusal.NOT_FOUND, "m")).reason is (
        FailureReason.DELEGATION_EXPIRED
    )


def test_reason_that_is_in_no_table_is_a_bug() -> None:
    with pytest.raises(KeyError):
        executors.reason_of("made_up")
    with pytest.raises(KeyError):
        parents.failure_of(Rejected(MadeUp.MADE_UP, "m"))


def test_failure_tells_the_file_and_line_that_it_is_about() -> None:
    error = JobRejected(
        JobRefusal.NO_MARKER, "m", detail=FailureDetail.MARKER_UNUSABLE, path="a.yaml", line=3
    )

    found = failure(error, reason=FailureReason.NO_MARKER, step=OpeningStep.EDITING)

    assert (found.detail, found.path, found.line) == (FailureDetail.MARKER_UNUSABLE, "a.yaml", 3)
    assert not found.retryable


def test_failure_of_a_cluster_that_is_silent_says_so() -> None:
    found = parents.failure_of(Retryable(JobRefusal.CLUSTER_UNAVAILABLE, "m", after_s=4))

    assert found.detail is FailureDetail.CLUSTER_UNAVAILABLE
    assert (found.retryable, found.after_s) == (True, 4)
