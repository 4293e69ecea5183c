"""Variables that nobody reads: a setting whose name is written wrong changes nothing, silently.

One ConfigMap is for all services, so that each has to know the variables of all.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from countersign.process.faults.validation import nearest

PREFIX: Final = "COUNTERSIGN_"
# A test holds this against the settings of all services.
KNOWN: Final = frozenset(
    {
        "COUNTERSIGN_BRIDGE_EVENTS",
        "COUNTERSIGN_BRIDGE_READER",
        "COUNTERSIGN_BRIDGE_SECRET_FILE",
        "COUNTERSIGN_BRIDGE_SHAPE",
        "COUNTERSIGN_BRIDGE_STREAM",
        "COUNTERSIGN_BRIDGE_URL",
        "COUNTERSIGN_BRIDGE_URL_FILE",
        "COUNTERSIGN_BUS",
        "COUNTERSIGN_BUS_NODES",
        "COUNTERSIGN_CHECK_INTERVAL_S",
        "COUNTERSIGN_CLUSTER_DIR",
        "COUNTERSIGN_EXECUTORS",
        "COUNTERSIGN_FORGES_FILE",
        "COUNTERSIGN_HEALTH_HOST",
        "COUNTERSIGN_HEALTH_PORT",
        "COUNTERSIGN_HOOK_REQUESTS_MAX",
        "COUNTERSIGN_HOST",
        "COUNTERSIGN_KEPT_PROMOTIONS",
        "COUNTERSIGN_KUBECONFIG_EXEC",
        "COUNTERSIGN_KUBE_ACCOUNT_DIR",
        "COUNTERSIGN_KUBE_URL",
        "COUNTERSIGN_LOG_LEVEL",
        "COUNTERSIGN_NAMESPACE",
        "COUNTERSIGN_NAMESPACES",
        "COUNTERSIGN_NATS_CA_FILE",
        "COUNTERSIGN_NATS_PLAINTEXT",
        "COUNTERSIGN_NATS_URL",
        "COUNTERSIGN_NKEY_FILE",
        "COUNTERSIGN_OBJECT_LINKS",
        "COUNTERSIGN_OIDC_CA_FILE",
        "COUNTERSIGN_OIDC_CLIENT_ID",
        "COUNTERSIGN_OIDC_CLIENT_SECRET_FILE",
        "COUNTERSIGN_OIDC_GROUPS_CLAIM",
        "COUNTERSIGN_OIDC_GROUPS_PREFIX",
        "COUNTERSIGN_OIDC_ISSUER_URL",
        "COUNTERSIGN_OIDC_LOGOUT",
        "COUNTERSIGN_OIDC_REQUIRED_CLAIMS",
        "COUNTERSIGN_OIDC_SCOPES",
        "COUNTERSIGN_OIDC_USERNAME_CLAIM",
        "COUNTERSIGN_OIDC_USERNAME_PREFIX",
        "COUNTERSIGN_PEOPLE_FILE",
        "COUNTERSIGN_POLL_INTERVAL_S",
        "COUNTERSIGN_PORT",
        "COUNTERSIGN_PROXIES",
        "COUNTERSIGN_PUBLIC_URL",
        "COUNTERSIGN_RATE_SHARE",
        "COUNTERSIGN_READERS_FILE",
        "COUNTERSIGN_REPLICA",
        "COUNTERSIGN_REREAD_S",
        "COUNTERSIGN_REVIEW_GROUPS",
        "COUNTERSIGN_REVISION_PATHS",
        "COUNTERSIGN_SECRETS_DIR",
        "COUNTERSIGN_SESSION_KEY_FILE",
        "COUNTERSIGN_SIGN_IN",
        "COUNTERSIGN_SIGN_IN_REQUESTS_MAX",
        "COUNTERSIGN_TRACE_LINK",
        "COUNTERSIGN_WEBHOOK_HOST",
        "COUNTERSIGN_WEBHOOK_PORT",
        "COUNTERSIGN_WEBHOOK_PROXIES",
        "COUNTERSIGN_WRITER_NKEYS_FILE",
    }
)
# Kubernetes gives Pods such variables for each Service of the namespace.
# Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE: Final = re.compile(r"(COUNTERSIGN(?:_[A-Z0-9_]+)?)_SERVICE_HOST")


@dataclass(frozen=True, kw_only=True)
class UnknownVariable:
    """A variable that looks like one of ours, and is none."""

    name: str
    # Empty where none is near.
    meant: str


def unknown_variables(environment: Mapping[str, str]) -> Iterator[UnknownVariable]:
    """List those that begin as ours do and that no service reads; values are not looked at."""
    services = tuple(
        part
        for name in environment
        if (match := _SERVICE.fullmatch(name))
        for part in (f"{match[1]}_SERVICE_", f"{match[1]}_PORT")
    )
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in KNOWN and not name.startswith(services):
            near = nearest(name.removeprefix(PREFIX), (k.removeprefix(PREFIX) for k in KNOWN))
            yield UnknownVariable(name=name, meant=near and f"{PREFIX}{near}")
