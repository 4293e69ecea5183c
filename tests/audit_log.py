"""What Countersign's service accounts asked of a real API server, as it wrote down itself.

Every test server keeps such a log, so that any walk through the system can end with
`assert_rights_are_enough(server)`.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from apiserver import ApiServer
from doubles.recorded_calls import Right
from doubles.service_accounts import HOME

Json = dict[str, Any]
# By the role, for every reason also names whom it was granted to: what everybody may do, and what
# an administrator applies for Countersign.
_GRANTED_BY: Final = re.compile(
    r' of (Cluster)?Role "(countersign-|system:(basic-user|discovery)")'
)
# Secrets are granted one by one, when a Pipeline names them.
_GRANTED_LATER: Final = frozenset(
    (service, Right("get", "", "secrets")) for service in ("watcher", "pr-writer", "auditor")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """By a service, with what the API server decided and by which rule; `right` names no object."""

    service: str
    right: Right
    namespace: str
    allowed: bool
    reason: str


def asked(server: ApiServer, *, since: int = 0) -> Iterator[Asked]:
    """Everything that has a resource; of discovery there is nothing to grant."""
    for line in server.audit_log.read_bytes()[since:].splitlines():
        entry = json.loads(line)
        if "resource" in entry.get("objectRef", {}):
            yield _read(entry)


def _read(entry: Json) -> Asked:
    ref, notes = entry["objectRef"], entry.get("annotations", {})
    resource = "/".join(filter(None, (ref["resource"], ref.get("subresource", ""))))
    account = entry["user"]["username"].rpartition(":")[2]
    return Asked(
        service=account.removeprefix(f"{HOME}-"),
        right=Right(entry["verb"], ref.get("apiGroup", ""), resource),
        namespace=ref.get("namespace", ""),
        allowed=notes.get("authorization.k8s.io/decision") == "allow",
        reason=notes.get("authorization.k8s.io/reason", ""),
    )


def assert_rights_are_enough(
    server: ApiServer,
    *,
    services: Collection[str] = ("watcher",),
    ungranted: Collection[tuple[str, Right]] = _GRANTED_LATER,
    since: int = 0,
) -> None:
    """Nothing was denied for good, and nothing allowed by a role that is not of `k8s/base`.

    An API server that has just started denies for a moment what it will allow.

    Args:
        server: whom they asked.
        services: those that must have asked for something, or the log proves nothing.
        ungranted: what may be denied to which service.
        since: size of the log when the walk began, where others walked before.

    """
    found = list(asked(server, since=since))
    allowed, denied = (
        {(a.service, a.right, a.namespace) for a in found if a.allowed is one_of}
        for one_of in (True, False)
    )
    assert {one for one in denied - allowed if one[:2] not in ungranted} == set()
    assert [a for a in found if a.allowed and not _GRANTED_BY.search(a.reason)] == []
    assert {service for service, _, _ in allowed} >= set(services)
