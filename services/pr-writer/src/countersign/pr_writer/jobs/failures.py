"""Makes the failure of a job out of an error, once the contract's word for it is known."""

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import FailureDetail, FailureReason, OpeningStep
from countersign.pr_writer.jobs.outcomes import Failure
from countersign.pr_writer.jobs.refusals import JOB_DETAILS, JobRefusal, JobRejected


def failure(error: Retryable | Rejected, *, reason: FailureReason, step: OpeningStep) -> Failure:
    own = error.reason
    detail = JOB_DETAILS.get(own) if isinstance(own, JobRefusal) else None
    placed = error if isinstance(error, JobRejected) else None
    return Failure(
        reason=reason,
        message=error.message,
        detail=placed.detail if placed else detail or FailureDetail.UNSPECIFIED,
        path=placed.path if placed else "",
        line=placed.line if placed else 0,
        step=step,
        retryable=isinstance(error, Retryable),
        after_s=error.after_s if isinstance(error, Retryable) else None,
    )
