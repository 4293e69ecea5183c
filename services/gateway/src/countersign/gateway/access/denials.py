"""A missing right, as the Role and the RoleBinding that grant it."""

import json

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person
from countersign.contracts.subjects import encode_free
from countersign.gateway.interfaces import Missing, Right
from countersign.gateway.model import GateKey
from countersign.gateway.refusals import Refusal
from countersign.kube.access.reviews import GROUP
from countersign.kube.grant_files import manifest_text
from countersign.kube.grants import Grant, Grantee, Rule


class Denied(Rejected):
    """Refused for want of a right, which is named.

    Args:
        message: what was refused.
        missing: what would have allowed it.
        reason: `not_allowed`, or `not_found` for what one may not know of.

    """

    def __init__(
        self, message: str, *, missing: Missing, reason: Refusal = Refusal.NOT_ALLOWED
    ) -> None:
        super().__init__(reason, message)
        self.missing = missing


def missing_right(person: Person, right: Right, gate: GateKey) -> Missing:
    """Describe the right in words, and as YAML for `kubectl apply`."""
    namespace, pipeline = gate.pipeline
    rule = Rule(verbs=("get",), resource="pipelines", group=GROUP, names=(pipeline,))
    # Two rules must not have one Role: one would be put in place of the other. Of names, Roles
    # refuse only what would not be one part of a path.
    role = ["countersign", right.value, encode_free(pipeline)]
    if right is Right.CREDENTIALS:
        rule = Rule(verbs=("get",), resource="pipelines/credentials", group=GROUP)
        role = role[:2]
    elif right is Right.PROMOTE:
        # Written as in the subjects of events; a resource's name takes any text.
        written = encode_free(gate.environment)
        rule = Rule(
            verbs=("promote",), resource=f"pipelines/{written}", group=GROUP, names=(pipeline,)
        )
        role.append(written)
    of = f" for pipeline {pipeline}" if rule.names else ""
    return Missing(
        words=f"the verb “{rule.verbs[0]}” on {rule.resource}{of} in namespace {namespace}",
        manifest=_manifest(person, namespace, rule, role=":".join(role)),
    )


def _manifest(person: Person, namespace: str, rule: Rule, *, role: str) -> str:
    grant = Grant(
        role=role,
        rule=rule,
        subjects=(Grantee(name=person.id),),
        namespace=namespace,
        binding=f"{role}:{encode_free(person.id)}",
    )
    text = manifest_text(grant)
    # In ASCII: YAML ends a line at more characters than one would think.
    groups = ", ".join(json.dumps(group) for group in person.groups)
    if not groups:
        return text
    return f"{text}# or, for everybody in a group, {{kind: Group, name: …}}: {groups}\n"
