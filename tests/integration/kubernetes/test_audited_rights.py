"""What the API server itself says of the rights in `k8s/base`: who was denied, who gets which."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from apiserver import ApiServer
from audit_log import assert_rights_are_enough
from controllers import controlling
from doubles.service_accounts import HOME, may_do, settings_of
from doubles.told_cluster import Told, granted, pull_request
from e2e.mirroring import install
from reference import ROOT, skip_without

from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected
from countersign.kube.access import reviews
from countersign.kube.access.http_api import HttpClusterApi, cluster_api

BASE: Final = ROOT / "k8s" / "base"
UNTIL_S: Final = 20.0
LOOK_S: Final = 0.1
AGGREGATION: Final = "clusterrole-aggregation-controller"


@pytest.fixture(scope="module", autouse=True)
def base(apiserver: ApiServer) -> None:
    install(apiserver, skip_without("crds") / "gitopsclusters.yaml")
    apiserver.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(BASE))


async def test_watcher_is_denied_nothing_from_request_to_arrival(told: Told) -> None:
    settings = await settings_of(told.api, told.server, "countersign-watcher")
    since = size_of_log(told.server)
    await told.lay(manual=True)

    async with told.watcher(settings=settings):
        await told.phase("WaitingForApproval")
        ref = await told.reference()
        await told.publish("approval", granted(ref))
        opened = m.PullRequestOpened(promotion=ref, pull_request=pull_request())
        merged = m.PullRequestMerged(promotion=ref, pull_request=pull_request())
        await told.publish("pr-writer", opened, merged)
        await told.run("prod", "6.9.0")
        await told.phase("Completed")
        await told.until_told("PromotionCompleted")

    assert_rights_are_enough(told.server, ungranted=(), since=since)


async def test_right_from_a_role_of_others_is_noticed(
    apiserver: ApiServer, admin: HttpClusterApi
) -> None:
    since = size_of_log(apiserver)
    account = f"--serviceaccount={HOME}:countersign-watcher"
    apiserver.kubectl(
        "create", "clusterrolebinding", "theirs", "--clusterrole=cluster-admin", account
    )
    settings = await settings_of(admin, apiserver, "countersign-watcher")

    async with cluster_api(settings) as api, asyncio.timeout(UNTIL_S):
        while not await may_list(api, "/api/v1/configmaps"):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_S)
    apiserver.kubectl("delete", "clusterrolebinding", "theirs")

    with pytest.raises(AssertionError):
        assert_rights_are_enough(apiserver, ungranted=(), since=since)


@pytest.fixture
def aggregated(apiserver: ApiServer) -> Iterator[None]:
    with controlling(apiserver, AGGREGATION):
        yield


@pytest.mark.usefixtures("aggregated")
@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("view", (True, False, False)),
        ("edit", (True, True, False)),
        ("admin", (True, True, False)),
        ("countersign-promoter", (True, False, True)),
    ],
)
async def test_roles_of_kubernetes_let_see_and_none_lets_promote(
    apiserver: ApiServer,
    admin: HttpClusterApi,
    namespace: str,
    role: str,
    expected: tuple[bool, bool, bool],
) -> None:
    await until_aggregated(apiserver)
    binding = ("create", "rolebinding", "them", f"--clusterrole={role}", "--group=team")
    apiserver.kubectl("-n", namespace, *binding)
    person = reviews.Subject(user="ada", groups=("team",))

    assert await may_do(admin, person, namespace=namespace) == expected


async def may_list(api: HttpClusterApi, path: str) -> bool:
    try:
        await api.call("GET", path)
    except Rejected:
        return False
    return True


async def until_aggregated(server: ApiServer) -> None:
    async with asyncio.timeout(UNTIL_S):
        while not {"pipelines", "pipelines/credentials"} <= ours_in(server, "admin"):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)


def size_of_log(server: ApiServer) -> int:
    return server.audit_log.stat().st_size if server.audit_log.exists() else 0


def ours_in(server: ApiServer, role: str) -> set[str]:
    found: dict[str, Any] = json.loads(server.kubectl("get", "clusterrole", role, "-o", "json"))
    rules = found.get("rules") or []
    return {r for rule in rules if reviews.GROUP in rule["apiGroups"] for r in rule["resources"]}
