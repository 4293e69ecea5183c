"""A service that starts asks a real API server for its own rights, as its own account."""

import socket

import pytest
from apiserver import ApiServer
from doubles.service_accounts import make_account, settings_of
from reference import ROOT

from countersign.checks.cluster import (
    RIGHTS,
    check_cluster,
    check_own_rights,
    of_accounts,
    rights_in,
)
from countersign.checks.model import Fault, Finding, Subject
from countersign.kube.access.http_api import HttpClusterApi, KubeSettings, cluster_api

SERVICES = sorted({right.service for right in RIGHTS})
CONFINED = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: watcher, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: countersign-watcher}}
subjects: [{{kind: ServiceAccount, name: confined, namespace: {namespace}}}]
"""


@pytest.fixture(scope="module", autouse=True)
def base(apiserver: ApiServer) -> None:
    apiserver.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "k8s/base"))


async def asked(settings: KubeSettings, service: str, *namespaces: str) -> list[Finding]:
    return [one async for one in check_own_rights(settings, service=service, namespaces=namespaces)]


@pytest.mark.parametrize("service", SERVICES)
async def test_service_as_it_is_installed_lacks_nothing(
    apiserver: ApiServer, admin: HttpClusterApi, service: str
) -> None:
    settings = await settings_of(admin, apiserver, f"countersign-{service}")

    found = await asked(settings, service)

    own = [str(right) for right in RIGHTS if right.service == service]
    assert [one.name for one in found if one.subject is Subject.RIGHT] == own
    assert {one.fault for one in found} == {None}


@pytest.mark.parametrize("service", SERVICES)
async def test_account_without_a_right_is_told_each_that_it_lacks(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str, service: str
) -> None:
    await make_account(admin, namespace, "nobody")
    settings = await settings_of(admin, apiserver, "nobody", namespace=namespace)

    found = await asked(settings, service)

    rights = [one for one in found if one.subject is Subject.RIGHT]
    assert len(rights) == sum(right.service == service for right in RIGHTS)
    assert {one.fault for one in rights} == {Fault.RIGHT_MISSING}


async def test_watcher_of_one_namespace_needs_its_rights_in_that_alone(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await make_account(admin, namespace, "confined")
    apiserver.kubectl("apply", "-f", "-", stdin=CONFINED.format(namespace=namespace))
    settings = await settings_of(admin, apiserver, "confined", namespace=namespace)

    here = await asked(settings, "watcher", namespace)
    there = await asked(settings, "watcher", namespace, "default")

    assert {one.fault for one in here} == {None}
    lacking = {one.name for one in there if one.fault is Fault.RIGHT_MISSING}
    assert lacking
    assert all(name.endswith(" in default") for name in lacking)


async def test_command_asks_for_the_watcher_where_it_is_confined_to(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await make_account(admin, namespace, "countersign-watcher")
    binding = CONFINED.format(namespace=namespace).replace("confined", "countersign-watcher")
    apiserver.kubectl("apply", "-f", "-", stdin=binding)

    async def lacking(*namespaces: str) -> set[str]:
        async with cluster_api(apiserver.settings()) as api:
            rights, ask = rights_in(namespaces), of_accounts(namespace)
            found = [one async for one in check_cluster(api, ask=ask, rights=rights)]
        return {one.name for one in found if one.subject is Subject.RIGHT and one.fault}

    everywhere = await lacking()
    here = await lacking(namespace)

    assert any(name.startswith("countersign-watcher") for name in everywhere)
    assert not any(name.startswith("countersign-watcher") for name in here)


async def test_command_asks_for_the_rights_of_all_accounts(apiserver: ApiServer) -> None:
    async with cluster_api(apiserver.settings()) as api:
        installed = [one async for one in check_cluster(api, ask=of_accounts("countersign"))]
        elsewhere = [one async for one in check_cluster(api, ask=of_accounts("elsewhere"))]

    def of_rights(found: list[Finding]) -> list[Fault | None]:
        return [one.fault for one in found if one.subject is Subject.RIGHT]

    assert of_rights(installed) == [None] * len(RIGHTS)
    assert of_rights(elsewhere) == [Fault.RIGHT_MISSING] * len(RIGHTS)


async def test_api_server_that_is_away_is_one_finding(apiserver: ApiServer) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{nobody.getsockname()[1]}"
        settings = apiserver.settings().model_copy(update={"url": url})

        (found,) = await asked(settings, "watcher")

    assert found.fault is Fault.UNREACHABLE


async def test_service_without_a_cluster_asks_nobody() -> None:
    assert await asked(KubeSettings(), "watcher") == []
