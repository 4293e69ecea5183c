"""Tables of the contract's words for what the parent could not do for a job."""

from collections.abc import Mapping
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import FailureReason, OpeningStep
from countersign.contracts.refusals import ContractRefusal
from countersign.messaging.refusals import BusRefusal
from countersign.pr_writer.jobs.failures import failure
from countersign.pr_writer.jobs.outcomes import Failure
from countersign.pr_writer.jobs.refusals import JOB_FAILURES, JobRefusal

# A job asks the bus for one thing only, the delegation.
BUS_FAILURES: Final[Mapping[BusRefusal, FailureReason]] = dict.fromkeys(
    BusRefusal, FailureReason.DELEGATION_EXPIRED
)


def failure_of(
    error: Retryable | Rejected, *, step: OpeningStep = OpeningStep.UNSPECIFIED
) -> Failure:
    """Return how a job failed that no executor could tell of.

    Raises:
        KeyError: the reason is in no table, which is a bug.

    """
    return failure(error, reason=_reason_of(error.reason), step=step)


def _reason_of(reason: str) -> FailureReason:
    if isinstance(reason, JobRefusal):
        return JOB_FAILURES[reason]
    if isinstance(reason, BusRefusal):
        return BUS_FAILURES[reason]
    if reason is ContractRefusal.FORGE_NOT_LISTED:
        return FailureReason.FORGE_NOT_LISTED
    raise KeyError(reason)
