"""Rules of Roles, read as the API server reads them."""

from typing import Any

import pytest

from countersign.contracts.errors import Rejected
from countersign.kube.access.bindings import Holder, Wanted, allows, read_bindings
from countersign.kube.objects import Manifest
from countersign.kube.refusals import ClusterRefusal

GROUP = "pipelines.weave.works"
PROMOTE = Wanted(verb="promote", group=GROUP, resource="pipelines/prod", name="checkout")
READ = Wanted(verb="get", group="", resource="secrets", name="flux-bot")


def rule(
    *resources: str, verbs: tuple[str, ...] = ("promote",), group: str = GROUP, **more: Any
) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs), **more}


@pytest.mark.parametrize(
    ("one", "act", "allowed"),
    [
        (rule("pipelines/prod"), PROMOTE, True),
        (rule("pipelines/prod", resourceNames=["checkout"]), PROMOTE, True),
        (rule("*"), PROMOTE, True),
        (rule("*", verbs=("*",), group="*"), PROMOTE, True),
        (rule("*/prod"), PROMOTE, True),
        (rule("pipelines/*"), PROMOTE, False),
        (rule("pipelines"), PROMOTE, False),
        (rule("pipelines/prod", resourceNames=["cart"]), PROMOTE, False),
        (rule("pipelines/prod", verbs=("get",)), PROMOTE, False),
        (rule("pipelines/prod", group="apps"), PROMOTE, False),
        (rule("secrets", verbs=("get",), group=""), READ, True),
        (rule("secrets", verbs=("list",), group=""), READ, False),
        (rule("*/secrets", verbs=("get",), group=""), READ, False),
        ({}, READ, False),
        ({"verbs": "get", "apiGroups": 1, "resources": None}, READ, False),
    ],
)
def test_rule_allows_what_rbac_says(one: Manifest, act: Wanted, *, allowed: bool) -> None:
    assert allows(one, act) is allowed


class Api:
    """Lists of objects, by the end of the path."""

    def __init__(self, **lists: list[Any]) -> None:
        self._lists = lists

    async def call(self, method: str, path: str, **_: Any) -> Manifest:
        assert method == "GET"
        name = path.rpartition("/")[2]
        if name not in self._lists:
            raise Rejected(ClusterRefusal.FORBIDDEN, path)
        return {"items": self._lists[name]}


def named(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **more}


def to(kind: str, name: str) -> dict[str, str]:
    return {"kind": kind, "name": name}


async def test_holders_are_bound_in_the_namespace_or_everywhere() -> None:
    reader = [{"kind": "ServiceAccount", "name": "auditor", "namespace": "countersign"}]
    api = Api(
        roles=[named("promoter", "shop", rules=[rule("pipelines/prod")])],
        clusterroles=[
            named("admin", rules=[rule("*", verbs=("*",), group="*")]),
            named("promoter", rules=[rule("pipelines/dev")]),
        ],
        rolebindings=[
            named("a", "shop", roleRef=to("Role", "promoter"), subjects=[to("Group", "devs")]),
            named("b", "shop", roleRef=to("ClusterRole", "admin"), subjects=reader),
            # The ClusterRole of that name is another one.
            named("c", "shop", roleRef=to("ClusterRole", "promoter"), subjects=[to("User", "x")]),
            named("d", "shop", roleRef=to("Role", "promoter")),
        ],
        clusterrolebindings=[
            named("root", roleRef=to("ClusterRole", "admin"), subjects=[to("User", "grace")])
        ],
    )

    found = await read_bindings(api, namespace="shop")

    assert found.holders(PROMOTE) == (
        Holder(kind="Group", name="devs", through="RoleBinding a, Role promoter"),
        Holder(
            kind="ServiceAccount",
            name="auditor",
            namespace="countersign",
            through="RoleBinding b, ClusterRole admin",
        ),
        Holder(kind="User", name="grace", through="ClusterRoleBinding root, ClusterRole admin"),
    )


async def test_bindings_that_may_not_be_read_are_refused_and_not_empty() -> None:
    with pytest.raises(Rejected):
        await read_bindings(Api(roles=[], clusterroles=[], rolebindings=[]), namespace="shop")
