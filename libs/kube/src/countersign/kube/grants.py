"""Roles, bindings and `kubectl` lines that grant a right, written in this one place.

Names that go into a line for a shell are quoted where a shell would read more than a name.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NAMESPACE: Final = "countersign"
ACCOUNT_PREFIX: Final = "countersign-"
GROUP: Final = "rbac.authorization.k8s.io"
API_VERSION: Final = f"{GROUP}/v1"
# Of a stored credential: one is of no use without the other.
_TOGETHER: Final = ("auditor", "pr-writer")
# As the API server says who asked in vain.
_ACCOUNT: Final = re.compile(r'User "system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Verbs on a resource, perhaps on objects of those names alone."""

    verbs: tuple[str, ...]
    # Plural, with its subresource: `pipelines/prod`.
    resource: str
    group: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grantee:
    """A person, or with a namespace the service account of a program."""

    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A right of somebody in a namespace; without one, everywhere.

    `binding` is the name of the binding where it is not that of the Role.
    """

    role: str
    rule: Rule
    subjects: tuple[Grantee, ...]
    namespace: str = ""
    binding: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def shell_line(grant: Grant) -> str:
    """The two commands that make the Role and bind it."""
    role = shlex.quote(grant.role)
    if grant.namespace:
        place, kind, binding = f"kubectl -n {shlex.quote(grant.namespace)}", "role", "rolebinding"
    else:
        place, kind, binding = "kubectl", "clusterrole", "clusterrolebinding"
    resource, _, subresource = grant.rule.resource.partition("/")
    of_group = f"{resource}.{grant.rule.group}" if grant.rule.group else resource
    what = f"{of_group}/{subresource}" if subresource else of_group
    names = "".join(f" --resource-name={shlex.quote(name)}" for name in grant.rule.names)
    bound = "".join(f" {_flag(subject)}" for subject in grant.subjects)
    return (
        f"{place} create {kind} {role} --verb={','.join(grant.rule.verbs)}"
        f" --resource={shlex.quote(what)}{names} && {place} create {binding}"
        f" {shlex.quote(grant.binding or grant.role)} --{kind}={role}{bound}"
    )


def _flag(subject: Grantee) -> str:
    if subject.namespace:
        return f"--serviceaccount={shlex.quote(f'{subject.namespace}:{subject.name}')}"
    return f"--user={shlex.quote(subject.name)}"


def manifests(grant: Grant) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Role and the RoleBinding of a grant in a namespace."""
    role = {
        "apiVersion": API_VERSION,
        "kind": "Role",
        "metadata": _metadata(grant, grant.role),
        "rules": [_written(grant.rule)],
    }
    binding = {
        "apiVersion": API_VERSION,
        "kind": "RoleBinding",
        "metadata": _metadata(grant, grant.binding or grant.role),
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": grant.role},
        "subjects": [_named(subject) for subject in grant.subjects],
    }
    return role, binding


def _metadata(grant: Grant, name: str) -> dict[str, Any]:
    labels = {"labels": dict(grant.labels)} if grant.labels else {}
    return {"name": name, "namespace": grant.namespace, **labels}


def _written(rule: Rule) -> dict[str, Any]:
    names = {"resourceNames": list(rule.names)} if rule.names else {}
    return {
        "apiGroups": [rule.group],
        "resources": [rule.resource],
        **names,
        "verbs": list(rule.verbs),
    }


def _named(subject: Grantee) -> dict[str, str]:
    if subject.namespace:
        return {
            "kind": "ServiceAccount",
            "namespace": subject.namespace,
            "name": subject.name,
        }
    return {"kind": "User", "name": subject.name, "apiGroup": GROUP}


def secret_line(*, namespace: str, secret: str, refusal: str) -> str:
    """Write the line that lets those who need a Secret read it.

    Args:
        namespace: of the Secret.
        secret: its name.
        refusal: what the API server said to the one who asked.

    """
    who = _ACCOUNT.search(refusal)
    home, account = who.groups() if who else (NAMESPACE, f"{ACCOUNT_PREFIX}{_TOGETHER[0]}")
    accounts, role = [account], f"{account}-{secret}"
    if account.removeprefix(ACCOUNT_PREFIX) in _TOGETHER:
        accounts = [f"{ACCOUNT_PREFIX}{service}" for service in _TOGETHER]
        role = f"{ACCOUNT_PREFIX}credential-{secret}"
    return shell_line(
        Grant(
            role=role,
            rule=Rule(verbs=("get",), resource="secrets", names=(secret,)),
            subjects=tuple(Grantee(name=name, namespace=home) for name in accounts),
            namespace=namespace,
        )
    )
