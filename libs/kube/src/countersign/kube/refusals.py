"""The reasons for which a cluster, or what is written in it, is refused."""

from enum import StrEnum


class ClusterRefusal(StrEnum):
    """A failure of an API server, or an object that is not as it should be."""

    UNAVAILABLE = "cluster_unavailable"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    GONE = "gone"
    INVALID = "invalid"
    TOO_LARGE = "too_large"
    NO_CLUSTER = "no_cluster"

    SECRET_FORBIDDEN = "secret_forbidden"  # noqa: S105 - a reason, not a secret
    SECRET_MISSING = "secret_missing"  # noqa: S105 - a reason, not a secret
    BAD_KUBECONFIG = "bad_kubeconfig"
    EXEC_FAILED = "exec_failed"

    BAD_IDENTITY = "bad_identity"
    BAD_YAML = "bad_yaml"
    NOT_AN_OBJECT = "not_an_object"
    OTHER_KIND = "other_kind"
    NO_STRATEGY = "no_strategy"
