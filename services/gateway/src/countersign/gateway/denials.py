"""What somebody lacks who may not do something, as the Role and the RoleBinding that grant it."""

import json
import re
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person
from countersign.contracts.subjects import encode_free
from countersign.gateway.interfaces import Missing, Right
from countersign.gateway.model import GateKey

_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9-]+")
_RBAC: Final = "rbac.authorization.k8s.io"


class Denied(Rejected):
    """Refused for want of a right, which is named.

    Args:
        message: what was refused.
        missing: what would have allowed it.
        reason: `not_allowed`, or `not_found` for what one may not know of.

    """

    def __init__(self, message: str, *, missing: Missing, reason: str = "not_allowed") -> None:
        super().__init__(reason, message)
        self.missing = missing


def missing_right(person: Person, right: Right, gate: GateKey) -> Missing:
    """In words, and as YAML for `kubectl apply`."""
    namespace = gate.pipeline.namespace
    verb, resource, name = "get", "pipelines", "countersign-see"
    if right is Right.CREDENTIALS:
        resource, name = "pipelines/credentials", "countersign-credentials"
    elif right is Right.PROMOTE:
        # Written as in the subjects of events; a resource's name takes any text.
        written = encode_free(gate.environment)
        verb, resource = "promote", f"pipelines/{written}"
        name = f"countersign-promote-{_NOT_IN_NAMES.sub('-', written.lower()).strip('-')}"
    return Missing(
        words=f"the verb “{verb}” on {resource} in namespace {namespace}",
        manifest=_manifest(person, namespace, role=name, verb=verb, resource=resource),
    )


def _manifest(person: Person, namespace: str, *, role: str, verb: str, resource: str) -> str:
    groups = ", ".join(json.dumps(g, ensure_ascii=False) for g in person.groups)
    group = (
        f"# or, for everybody in a group, {{kind: Group, name: …}}: {groups}\n" if groups else ""
    )
    subject = json.dumps(person.id, ensure_ascii=False)
    bound = _NOT_IN_NAMES.sub("-", person.id.lower()).strip("-")
    return f"""\
apiVersion: {_RBAC}/v1
kind: Role
metadata:
  name: {json.dumps(role)}
  namespace: {json.dumps(namespace)}
rules:
- apiGroups: [pipelines.weave.works]
  resources: [{json.dumps(resource)}]
  verbs: [{verb}]
---
apiVersion: {_RBAC}/v1
kind: RoleBinding
metadata:
  name: {json.dumps(f"{role}-{bound}"[:200])}
  namespace: {json.dumps(namespace)}
roleRef:
  apiGroup: {_RBAC}
  kind: Role
  name: {json.dumps(role)}
subjects:
{group}- kind: User
  name: {subject}
  apiGroup: {_RBAC}
"""
