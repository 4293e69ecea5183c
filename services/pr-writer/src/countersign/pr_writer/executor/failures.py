"""Tables of the contract's words for what stops a job."""

from collections.abc import Mapping
from typing import Final

from countersign.contracts.messages import FailureReason
from countersign.contracts.refusals import ContractRefusal
from countersign.dialects.refusals import ForgeRefusal
from countersign.pr_writer.jobs.refusals import JOB_FAILURES

FORGE_FAILURES: Final[Mapping[ForgeRefusal, FailureReason]] = {
    ForgeRefusal.RATE_LIMITED: FailureReason.RATE_LIMITED,
    ForgeRefusal.FORGE_UNAVAILABLE: FailureReason.FORGE_UNAVAILABLE,
    ForgeRefusal.NOT_READY: FailureReason.CONFLICT,
    ForgeRefusal.UNAUTHORIZED: FailureReason.UNAUTHORIZED,
    ForgeRefusal.FORBIDDEN: FailureReason.FORBIDDEN,
    ForgeRefusal.SIGN_ON_WANTED: FailureReason.SIGN_ON_WANTED,
    ForgeRefusal.NOT_FOUND: FailureReason.NOT_FOUND,
    ForgeRefusal.MOVED: FailureReason.NOT_FOUND,
    ForgeRefusal.REFUSED: FailureReason.REFUSED,
    ForgeRefusal.FORGE_NOT_LISTED: FailureReason.FORGE_NOT_LISTED,
    ForgeRefusal.BAD_AUTHORITY: FailureReason.CREDENTIAL_MISSING,
    ForgeRefusal.CREDENTIAL_MISSING: FailureReason.CREDENTIAL_MISSING,
    ForgeRefusal.BAD_ANSWER: FailureReason.BAD_ANSWER,
    ForgeRefusal.LIMIT_EXCEEDED: FailureReason.LIMIT_EXCEEDED,
    ForgeRefusal.BRANCH_TAKEN: FailureReason.BRANCH_TAKEN,
    ForgeRefusal.PULL_EXISTS: FailureReason.CONFLICT,
    ForgeRefusal.CONFLICT: FailureReason.CONFLICT,
    ForgeRefusal.NOT_SUPPORTED: FailureReason.NOT_PROMOTABLE,
}
CONTRACT_FAILURES: Final[Mapping[ContractRefusal, FailureReason]] = {
    ContractRefusal.MALFORMED: FailureReason.INTERNAL,
    ContractRefusal.FORGE_NOT_LISTED: FailureReason.FORGE_NOT_LISTED,
    ContractRefusal.BAD_REPOSITORY_URL: FailureReason.NOT_PROMOTABLE,
    ContractRefusal.NOT_PROMOTABLE: FailureReason.NOT_PROMOTABLE,
}
_TABLES: Final = (JOB_FAILURES, FORGE_FAILURES, CONTRACT_FAILURES)


def reason_of(reason: str) -> FailureReason:
    """Return the contract's word; each boundary's reasons have a table of their own.

    Raises:
        KeyError: the reason is in no table, which is a bug.

    """
    for table in _TABLES:
        # By type first: two boundaries may use the same word.
        if isinstance(reason, type(next(iter(table)))):
            return table[reason]  # type: ignore[index]
    raise KeyError(reason)
