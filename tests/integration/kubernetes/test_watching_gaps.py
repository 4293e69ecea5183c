"""What cannot be read is said, with what to do about it, and read as soon as it can be."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from apiserver import ApiServer
from doubles.kube_proxy import kube_proxy
from doubles.kubectl_lines import run_line
from doubles.made_up_kinds import CRDS, application, crd, names, put_patiently
from doubles.observed_cluster import eyes, make_namespace, put, true_pipeline, true_release

from countersign.kube.access.http_api import HttpClusterApi, KubeSettings
from countersign.kube.grants import NAMESPACE

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ACCOUNT = "countersign-watcher"
MANIFEST = Path(__file__).parents[3] / "k8s" / "base" / "watcher.yaml"


@pytest.fixture
async def account(flux: ApiServer, api: HttpClusterApi) -> AsyncIterator[KubeSettings]:
    """The watcher's own, which may list Pipelines and nothing else."""
    await make_namespace(api, NAMESPACE)
    flux.kubectl("-n", NAMESPACE, "create", "serviceaccount", ACCOUNT)
    token = flux.kubectl("-n", NAMESPACE, "create", "token", ACCOUNT).strip()
    flux.kubectl(
        "create", "clusterrole", "sees-pipelines", "--verb=list,watch",
        "--resource=pipelines.pipelines.weave.works",
    )  # fmt: skip
    flux.kubectl(
        "create", "clusterrolebinding", "sees-pipelines", "--clusterrole=sees-pipelines",
        f"--serviceaccount={NAMESPACE}:{ACCOUNT}",
    )  # fmt: skip
    yield flux.settings(token)
    flux.kubectl("-n", NAMESPACE, "delete", "serviceaccount", ACCOUNT)
    flux.kubectl("delete", "clusterrole,clusterrolebinding", "sees-pipelines")


async def test_kind_that_is_installed_later_is_read_then(
    flux: ApiServer, api: HttpClusterApi, space: str
) -> None:
    kind = f"Widget{secrets.token_hex(3)}".capitalize()
    await put(api, names(true_pipeline(space, "dev"), kind))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: "kind_not_installed" in seen.findings(space))
        assert kind in seen.findings(space)["kind_not_installed"]
        assert seen.condition(space) == "MISSING"
        await api.call("POST", CRDS, body=crd(kind))
        await seen.until(lambda: "kind_not_installed" not in seen.findings(space))
        await put_patiently(api, application(kind, space, lastAppliedRevision="v1.2.3"))
        await seen.until(lambda: seen.revision(space) == "v1.2.3")
        await api.call("DELETE", f"{CRDS}/{kind.lower()}s.example.org")
        await seen.until(lambda: seen.condition(space) == "MISSING")
        await seen.until(lambda: "kind_not_installed" in seen.findings(space))


async def test_namespace_that_may_not_be_read_is_told_with_the_line_that_grants_it(
    flux: ApiServer, api: HttpClusterApi, space: str, account: KubeSettings
) -> None:
    other = await make_namespace(api)
    targets = {"dev": [{"namespace": space}], "prod": [{"namespace": other}]}
    await put(api, true_pipeline(space, "dev", "prod", targets=targets))
    await put(api, true_release(space, "6.8.4"))
    await put(api, true_release(other, "6.8.4"))

    async with eyes(account) as seen:
        for place, environment in ((space, "dev"), (other, "prod")):
            await seen.until(lambda e=environment: seen.condition(space, e) == "UNKNOWN")
            found = seen.environment(space, environment)
            assert found is not None
            assert f"-n {place} " in found.message
            assert "kind_forbidden" in seen.findings(space)
            run_line(flux, found.message)
            await seen.until(lambda e=environment: seen.condition(space, e) == "HEALTHY")

        assert seen.findings(space) == {}


async def test_pipelines_that_may_not_be_read_keep_the_watcher_unready(
    flux: ApiServer, api: HttpClusterApi, space: str, account: KubeSettings
) -> None:
    flux.kubectl("delete", "clusterrolebinding", "sees-pipelines")
    await put(api, true_pipeline(space, "dev"))

    async with eyes(account) as seen:
        await seen.until_unready("pipelines.pipelines.weave.works")
        assert seen.taken == []
        run_line(flux, str(seen.cluster.not_ready()))
        await seen.until(lambda: seen.pipeline(space) is not None)
        assert seen.cluster.not_ready() is None
    flux.kubectl("delete", "clusterrole,clusterrolebinding", f"{ACCOUNT}-pipelines")
    flux.kubectl(
        "create", "clusterrolebinding", "sees-pipelines", "--clusterrole=sees-pipelines",
        f"--serviceaccount={NAMESPACE}:{ACCOUNT}",
    )  # fmt: skip


async def test_only_named_namespaces_are_read_with_rights_in_those_alone(
    flux: ApiServer, api: HttpClusterApi, space: str
) -> None:
    other = await make_namespace(api)
    for place in (space, other):
        await put(api, true_pipeline(place, "dev"))
        await put(api, true_release(place, "6.8.4"))

    async with (
        kube_proxy(flux, token=bound_in(flux, space)) as proxy,
        eyes(proxy.settings, namespaces=frozenset({space})) as seen,
    ):
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        await put(api, true_release(space, "6.9.0"))
        await seen.until(lambda: seen.revision(space) == "6.9.0")

        assert seen.findings(space) == {}
        assert seen.keys(other) == set()
    paths = [asked for asked in proxy.asked if asked.startswith(("list /", "watch /"))]
    assert paths
    assert all(f"/namespaces/{space}/" in path for path in paths)


def bound_in(server: ApiServer, namespace: str) -> str:
    """A token of an account with the watcher's ClusterRole, bound in this namespace alone."""
    rights = MANIFEST.read_text().partition("---\n")[0]
    server.kubectl("apply", "-f", "-", stdin=rights)
    server.kubectl("-n", namespace, "create", "serviceaccount", ACCOUNT)
    server.kubectl(
        "-n", namespace, "create", "rolebinding", ACCOUNT, f"--clusterrole={ACCOUNT}",
        f"--serviceaccount={namespace}:{ACCOUNT}",
    )  # fmt: skip
    return server.kubectl("-n", namespace, "create", "token", ACCOUNT).strip()
