"""Holders of a right, as RoleBindings tell them where reading those is granted.

The API server answers who *may* only about somebody who is named; who *could* is in the bindings.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from countersign.kube.access.api import ClusterApi
from countersign.kube.objects import Manifest, mapping, sequence, text

_API: Final = "/apis/rbac.authorization.k8s.io/v1"
EVERY: Final = "*"
# Bindings of a namespace and of the cluster; beyond that a page would not be read either.
ITEMS_MAX: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An act on a resource as rules of Roles name it."""

    verb: str
    group: str
    resource: str
    name: str = ""


@dataclass(frozen=True, kw_only=True, order=True)
class Holder:
    """Somebody who is bound to a Role that allows it."""

    kind: str
    name: str
    namespace: str = ""
    # `RoleBinding promoters, Role promoter`; bindings of the whole cluster say so.
    through: str = ""


class Role(NamedTuple):
    """A Role of a namespace, or with an empty one a ClusterRole."""

    namespace: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Bindings:
    """The Roles and bindings that say who may do what in one namespace."""

    rules: Mapping[Role, tuple[Manifest, ...]]
    bindings: tuple[Manifest, ...]

    def holders(self, *acts: Wanted) -> tuple[Holder, ...]:
        """Return who may do at least one of these, each once for each binding."""
        allowing = {
            role
            for role, rules in self.rules.items()
            if any(allows(rule, act) for rule in rules for act in acts)
        }
        found = (
            holder
            for binding in self.bindings
            if _role_of(binding) in allowing
            for holder in _subjects(binding)
        )
        return tuple(sorted(set(found)))


def allows(rule: Manifest, act: Wanted) -> bool:
    """Say if one rule of a Role allows an act, as the API server reads it."""
    names = sequence(rule, "resourceNames")
    return (
        _has(sequence(rule, "verbs"), act.verb)
        and _has(sequence(rule, "apiGroups"), act.group)
        and _covers(sequence(rule, "resources"), act.resource)
        and (not names or (bool(act.name) and act.name in names))
    )


def _has(listed: Iterable[Any], wanted: str) -> bool:
    return any(one in (EVERY, wanted) for one in listed)


def _covers(listed: Iterable[Any], wanted: str) -> bool:
    """`*` is everything, and `*/scale` that of everything; `pipelines/*` is a name like others."""
    _, slash, part = wanted.partition("/")
    return any(one in (EVERY, wanted) or (slash and one == f"*/{part}") for one in listed)


def _role_of(binding: Manifest) -> Role:
    kind, name = text(binding, "roleRef", "kind"), text(binding, "roleRef", "name")
    return Role("" if kind == "ClusterRole" else text(binding, "metadata", "namespace"), name)


def _subjects(binding: Manifest) -> Iterable[Holder]:
    namespace = text(binding, "metadata", "namespace")
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    role = mapping(binding, "roleRef")
    through = (
        f"{kind} {text(binding, 'metadata', 'name')}, {text(role, 'kind')} {text(role, 'name')}"
    )
    for subject in sequence(binding, "subjects"):
        who = mapping(subject)
        if not text(who, "name"):
            continue
        account = text(who, "kind") == "ServiceAccount"
        yield Holder(
            kind=text(who, "kind"),
            name=text(who, "name"),
            namespace=text(who, "namespace") or namespace if account else "",
            through=through,
        )


async def read_bindings(api: ClusterApi, *, namespace: str) -> Bindings:
    """Read all that says who may do what in a namespace.

    Raises:
        Rejected: `forbidden`; reading them is not granted, which is usual.
        Retryable: as of `ClusterApi.call`.

    """
    paths = (
        f"{_API}/namespaces/{namespace}/rolebindings",
        f"{_API}/namespaces/{namespace}/roles",
        f"{_API}/clusterrolebindings",
        f"{_API}/clusterroles",
    )
    query = {"limit": str(ITEMS_MAX)}
    lists = await asyncio.gather(*(api.call("GET", path, query=query) for path in paths))
    own, roles, wide, cluster_roles = (
        tuple(mapping(item) for item in sequence(found, "items")) for found in lists
    )
    rules = {
        Role(text(role, "metadata", "namespace"), text(role, "metadata", "name")): tuple(
            mapping(rule) for rule in sequence(role, "rules")
        )
        for role in (*roles, *cluster_roles)
    }
    return Bindings(rules=rules, bindings=(*own, *wide))
