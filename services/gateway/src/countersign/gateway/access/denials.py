"""What somebody lacks who may not do something, as the Role and the RoleBinding that grant it."""

import json
from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person
from countersign.contracts.subjects import encode_free
from countersign.gateway.interfaces import Missing, Right
from countersign.gateway.model import GateKey

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
    namespace, pipeline = gate.pipeline
    rule = _Rule(verb="get", resource="pipelines", name=pipeline)
    # Two rules must not have one Role: one would be put in place of the other. Of names, Roles
    # refuse only what would not be one part of a path.
    role = ["countersign", right.value, encode_free(pipeline)]
    if right is Right.CREDENTIALS:
        rule, role = _Rule(verb="get", resource="pipelines/credentials"), role[:2]
    elif right is Right.PROMOTE:
        # Written as in the subjects of events; a resource's name takes any text.
        written = encode_free(gate.environment)
        rule = _Rule(verb="promote", resource=f"pipelines/{written}", name=pipeline)
        role.append(written)
    of = f" for pipeline {rule.name}" if rule.name else ""
    return Missing(
        words=f"the verb “{rule.verb}” on {rule.resource}{of} in namespace {namespace}",
        manifest=_manifest(person, namespace, rule, role=":".join(role)),
    )


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """What a Role allows; with a name for that Pipeline alone."""

    verb: str
    resource: str
    name: str = ""


def _manifest(person: Person, namespace: str, rule: _Rule, *, role: str) -> str:
    groups = ", ".join(json.dumps(g, ensure_ascii=False) for g in person.groups)
    group = (
        f"# or, for everybody in a group, {{kind: Group, name: …}}: {groups}\n" if groups else ""
    )
    subject = json.dumps(person.id, ensure_ascii=False)
    names = f"\n  resourceNames: [{json.dumps(rule.name)}]" if rule.name else ""
    return f"""\
apiVersion: {_RBAC}/v1
kind: Role
metadata:
  name: {json.dumps(role)}
  namespace: {json.dumps(namespace)}
rules:
- apiGroups: [pipelines.weave.works]
  resources: [{json.dumps(rule.resource)}]{names}
  verbs: [{rule.verb}]
---
apiVersion: {_RBAC}/v1
kind: RoleBinding
metadata:
  name: {json.dumps(f"{role}:{encode_free(person.id)}")}
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
