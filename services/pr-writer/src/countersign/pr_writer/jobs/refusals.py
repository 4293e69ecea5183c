"""Reasons for which a job is refused or fails for now, and what the contract calls them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import FailureDetail, FailureReason


class JobRefusal(StrEnum):
    """The pr-writer's own reasons; those of forges, bus and cluster are theirs."""

    NO_MARKER = "no_marker"
    ALREADY_THERE = "already_there"
    NOT_PROMOTABLE = "not_promotable"
    BRANCH_TAKEN = "branch_taken"
    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    NOT_ALLOWED = "not_allowed"
    NOT_HEALTHY = "not_healthy"
    FORGE_UNAVAILABLE = "forge_unavailable"
    CONSENT_MISMATCH = "consent_mismatch"
    CREDENTIAL_MISSING = "credential_missing"
    REPOSITORY_NOT_ALLOWED = "repository_not_allowed"
    DELEGATION_EXPIRED = "delegation_expired"
    LIMIT_EXCEEDED = "limit_exceeded"
    BAD_ANSWER = "bad_answer"
    INTERNAL = "internal"
    # Another try of the same job may be at it.
    IN_FLIGHT = "in_flight"
    # The API server did not answer: for a Secret, or for the right of who approved.
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a reason, not a secret
    CLUSTER_UNAVAILABLE = "cluster_unavailable"
    EXECUTOR_DIED = "executor_died"
    # An executor told why.
    FAILED_FOR_NOW = "failed_for_now"
    # The use of a token could not be put on record.
    NOT_RECORDED = "not_recorded"
    PROJECTION_BEHIND = "projection_behind"
    # Of files and settings, before there is a job.
    NOT_YAML = "not_yaml"
    BAD_NKEY = "bad_nkey"


JOB_FAILURES: Final[Mapping[JobRefusal, FailureReason]] = {
    JobRefusal.NO_MARKER: FailureReason.NO_MARKER,
    JobRefusal.ALREADY_THERE: FailureReason.ALREADY_THERE,
    JobRefusal.NOT_PROMOTABLE: FailureReason.NOT_PROMOTABLE,
    JobRefusal.BRANCH_TAKEN: FailureReason.BRANCH_TAKEN,
    JobRefusal.CONFLICT: FailureReason.CONFLICT,
    JobRefusal.FORBIDDEN: FailureReason.FORBIDDEN,
    JobRefusal.NOT_FOUND: FailureReason.NOT_FOUND,
    JobRefusal.NOT_ALLOWED: FailureReason.NOT_ALLOWED,
    JobRefusal.NOT_HEALTHY: FailureReason.NOT_HEALTHY,
    JobRefusal.FORGE_UNAVAILABLE: FailureReason.FORGE_UNAVAILABLE,
    JobRefusal.CONSENT_MISMATCH: FailureReason.CONSENT_MISMATCH,
    JobRefusal.CREDENTIAL_MISSING: FailureReason.CREDENTIAL_MISSING,
    JobRefusal.REPOSITORY_NOT_ALLOWED: FailureReason.REPOSITORY_NOT_ALLOWED,
    JobRefusal.DELEGATION_EXPIRED: FailureReason.DELEGATION_EXPIRED,
    JobRefusal.LIMIT_EXCEEDED: FailureReason.LIMIT_EXCEEDED,
    JobRefusal.BAD_ANSWER: FailureReason.BAD_ANSWER,
    JobRefusal.INTERNAL: FailureReason.INTERNAL,
    JobRefusal.IN_FLIGHT: FailureReason.CONFLICT,
    JobRefusal.SECRET_UNREADABLE: FailureReason.CREDENTIAL_MISSING,
    JobRefusal.CLUSTER_UNAVAILABLE: FailureReason.DELEGATION_EXPIRED,
    JobRefusal.EXECUTOR_DIED: FailureReason.INTERNAL,
    JobRefusal.FAILED_FOR_NOW: FailureReason.INTERNAL,
    JobRefusal.NOT_RECORDED: FailureReason.INTERNAL,
    JobRefusal.PROJECTION_BEHIND: FailureReason.INTERNAL,
    JobRefusal.NOT_YAML: FailureReason.NO_MARKER,
    JobRefusal.BAD_NKEY: FailureReason.INTERNAL,
}

JOB_DETAILS: Final[Mapping[JobRefusal, FailureDetail]] = {
    JobRefusal.SECRET_UNREADABLE: FailureDetail.CLUSTER_UNAVAILABLE,
    JobRefusal.CLUSTER_UNAVAILABLE: FailureDetail.CLUSTER_UNAVAILABLE,
}


class JobRejected(Rejected):
    """Refused, with the file or the circumstance that it is about."""

    def __init__(
        self,
        reason: JobRefusal,
        message: str,
        *,
        detail: FailureDetail = FailureDetail.UNSPECIFIED,
        path: str = "",
        line: int = 0,
    ) -> None:
        super().__init__(reason, message)
        self.detail = detail
        self.path = path
        self.line = line
