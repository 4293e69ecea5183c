"""The codes of findings about a Pipeline, one list for whoever makes them and whoever reads them.

A code never changes its meaning. A reader takes one that it does not know as it takes a message:
it shows it, and decides nothing by it.
"""

from enum import StrEnum

from countersign.contracts.messages import Finding, FindingLevel


class FindingCode(StrEnum):
    """Findings: faults of a Pipeline, or of what is needed to look after it."""

    # The Pipeline itself.
    BEING_DELETED = "being_deleted"
    NO_APPLICATION = "no_application"
    NO_ENVIRONMENTS = "no_environments"
    TOO_MANY_ENVIRONMENTS = "too_many_environments"
    EMPTY_ENVIRONMENT_NAME = "empty_environment_name"
    DUPLICATE_ENVIRONMENT = "duplicate_environment"
    NO_TARGETS = "no_targets"
    TOO_MANY_TARGETS = "too_many_targets"
    NO_STRATEGY = "no_strategy"
    UNKNOWN_FIELD = "unknown_field"
    HEALTH_NOT_CHECKED = "health_not_checked"
    # What was published of it, or could not be.
    TOO_LARGE = "too_large"
    REQUEST_UNREADABLE = "request_unreadable"
    # What its environments rest on, and could not be read.
    FILE_UNREADABLE = "file_unreadable"
    KIND_NOT_INSTALLED = "kind_not_installed"
    KIND_FORBIDDEN = "kind_forbidden"
    TOO_MANY_NAMESPACES = "too_many_namespaces"
    CLUSTER_UNREACHABLE = "cluster_unreachable"
    CLUSTER_MISSING = "cluster_missing"
    CLUSTER_INCOMPLETE = "cluster_incomplete"
    BAD_KUBECONFIG = "bad_kubeconfig"
    # Secrets that it names.
    SECRET_FORBIDDEN = "secret_forbidden"  # noqa: S105 - a word, no secret
    SECRET_MISSING = "secret_missing"  # noqa: S105 - likewise
    NO_HMAC_KEY = "no_hmac_key"


def error(code: FindingCode, message: str, *, path: str) -> Finding:
    """Nothing is promoted by a Pipeline that has one."""
    return Finding(level=FindingLevel.ERROR, code=code, message=message, path=path)


def warning(code: FindingCode, message: str, *, path: str) -> Finding:
    return Finding(level=FindingLevel.WARNING, code=code, message=message, path=path)
