"""Applications in other clusters, which GitopsClusters and their Secrets lead to."""

import asyncio
import base64
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from apiserver import ApiServer, running
from doubles.made_up_kinds import put_patiently
from doubles.observed_cluster import (
    UNTIL_S,
    Eyes,
    eyes,
    make_namespace,
    path_of,
    put,
    true_pipeline,
    true_release,
)
from reference import skip_without

from countersign.kube.access.http_api import HttpClusterApi, cluster_api

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "kubernetes.md"


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    crds = skip_without("crds")
    server = running(tmp_path_factory.mktemp("remote"))
    try:
        for name in ("helmreleases", "pipelines"):
            server.kubectl("apply", "--server-side", "-f", str(crds / f"{name}.yaml"))
        server.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        yield server
    finally:
        server.stop()


@pytest.fixture
async def there(remote: ApiServer) -> AsyncIterator[HttpClusterApi]:
    async with cluster_api(remote.settings()) as found:
        yield found


@pytest.fixture
async def space(flux: ApiServer, api: HttpClusterApi, there: HttpClusterApi) -> AsyncIterator[str]:
    """In both: dev here and prod there."""
    name = await make_namespace(api, f"t-{secrets.token_hex(4)}")
    await make_namespace(there, name)
    ref = {"kind": "GitopsCluster", "name": "far"}
    targets = {"prod": [{"namespace": name, "clusterRef": ref}]}
    await put(api, true_pipeline(name, "dev", "prod", targets=targets))
    await put(api, true_release(name, "6.9.0"))
    await put(there, true_release(name, "6.8.4"))
    yield name
    # Each leads to a connection.
    await asyncio.to_thread(flux.kubectl, "-n", name, "delete", "pipelines", "--all")


def gitops_cluster(namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gitops.weave.works/v1alpha1",
        "kind": "GitopsCluster",
        "metadata": {"name": "far", "namespace": namespace},
        "spec": spec or {"secretRef": {"name": "far"}},
    }


def secret(
    namespace: str,
    server: ApiServer,
    *,
    name: str = "far",
    key: str = "kubeconfig",
    url: str = "",
    **user: Any,
) -> dict[str, Any]:
    user = user or {"token": "made-up-admin-token"}
    url = url or server.url
    ca = base64.b64encode(server.ca.read_bytes()).decode()
    config = {
        "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority-data": ca}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        # YAML holds JSON.
        "stringData": {key: str(config).replace("'", '"')},
    }


def message(seen: Eyes, space: str) -> str:
    found = seen.environment(space, "prod")
    return found.message if found else ""


@asynccontextmanager
async def accepting() -> AsyncIterator[str]:
    """Takes connections and says nothing."""
    over = asyncio.Event()

    async def keep(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


@asynccontextmanager
async def swallowing() -> AsyncIterator[str]:
    """Nobody takes connections; what asks for one when the queue is full gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        place = listener.getsockname()
        with socket.create_connection(place):
            yield f"https://127.0.0.1:{place[1]}"


def watches(server: ApiServer) -> int:
    """How many there are of HelmReleases, as the API server counts them."""
    lines = server.kubectl("get", "--raw", "/metrics").splitlines()
    return sum(
        int(float(line.split()[-1]))
        for line in lines
        if line.startswith("apiserver_longrunning_requests{")
        and 'resource="helmreleases"' in line
        and 'verb="WATCH"' in line
    )


@pytest.mark.parametrize("key", ["kubeconfig", "value"])
async def test_release_in_another_cluster_is_seen(
    flux: ApiServer, remote: ApiServer, api: HttpClusterApi, space: str, key: str
) -> None:
    await put(api, secret(space, remote, key=key))
    await put(api, gitops_cluster(space))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.4")

        assert seen.revision(space, "dev") == "6.9.0"
        assert seen.findings(space) == {}


async def test_cluster_of_cluster_api_is_found_by_its_secret(
    flux: ApiServer, remote: ApiServer, api: HttpClusterApi, space: str
) -> None:
    await put(api, secret(space, remote, name="moon-kubeconfig", key="value"))
    await put(api, gitops_cluster(space, capiClusterRef={"name": "moon"}))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.4")


async def test_lost_cluster_makes_only_its_own_targets_unknown_and_is_named(
    flux: ApiServer, remote: ApiServer, api: HttpClusterApi, space: str
) -> None:
    await put(api, secret(space, remote))
    await put(api, gitops_cluster(space))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.4")
        await asyncio.to_thread(remote.stop)
        await seen.until(lambda: seen.condition(space, "prod") == "UNKNOWN")
        assert f"{space}/far" in message(seen, space)
        assert f"{space}/far" in seen.findings(space)["cluster_unreachable"]
        await put(api, true_release(space, "6.9.1"))
        await seen.until(lambda: seen.revision(space, "dev") == "6.9.1")
        await asyncio.to_thread(remote.start)
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.4")
        assert seen.findings(space) == {}


@pytest.mark.parametrize("listening", [accepting, swallowing])
async def test_cluster_that_never_answers_hinders_nobody_and_is_named(
    flux: ApiServer,
    remote: ApiServer,
    api: HttpClusterApi,
    space: str,
    listening: Callable[[], AbstractAsyncContextManager[str]],
) -> None:
    await put(api, gitops_cluster(space))
    async with listening() as url:
        await put(api, secret(space, remote, url=url))
        async with eyes(flux.settings()) as seen:
            await seen.until(lambda: seen.revision(space, "dev") == "6.9.0")
            await put(api, true_release(space, "6.9.1"))
            await seen.until(lambda: seen.revision(space, "dev") == "6.9.1")
            # Nobody has waited for it so far.
            assert "cluster_unreachable" not in seen.findings(space)
            await seen.until(lambda: "cluster_unreachable" in seen.findings(space))

            assert f"cluster {space}/far" in message(seen, space)
            assert seen.condition(space, "prod") == "UNKNOWN"


async def test_two_pipelines_share_the_connection_to_a_cluster(
    flux: ApiServer, remote: ApiServer, api: HttpClusterApi, space: str
) -> None:
    await put(api, secret(space, remote))
    await put(api, gitops_cluster(space))
    ref = {"kind": "GitopsCluster", "name": "far"}
    targets = {"prod": [{"namespace": space, "clusterRef": ref}]}
    await put(api, true_pipeline(space, "prod", name="second", targets=targets))

    async with eyes(flux.settings()) as seen:
        for name in ("checkout", "second"):
            await seen.until(lambda n=name: "6.8.4" in str(seen.pipeline(space, n)))
        # That of the test before may not be over yet.
        async with asyncio.timeout(UNTIL_S):
            while await asyncio.to_thread(watches, remote) != 1:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.2)


async def test_secret_that_leads_to_another_cluster_shows_what_is_there(
    flux: ApiServer, remote: ApiServer, api: HttpClusterApi, space: str
) -> None:
    # The one with more behind it first: its versions are of a future that the other has not.
    await put(api, secret(space, flux))
    await put(api, gitops_cluster(space))
    await put(api, true_release(space, "6.9.0", name="only-here"))

    def far(seen: Eyes) -> set[str]:
        return {key.name for key in seen.keys(space) if key.cluster}

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: far(seen) == {"podinfo", "only-here"})
        # The same token counts in both.
        await put(api, secret(space, remote))
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.4")
        await seen.until(lambda: far(seen) == {"podinfo"})


async def test_rotated_kubeconfig_is_used(
    flux: ApiServer, remote: ApiServer, api: HttpClusterApi, there: HttpClusterApi, space: str
) -> None:
    await put(api, secret(space, remote, token="made-up-and-expired"))
    await put(api, gitops_cluster(space))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: "cluster_unreachable" in seen.findings(space))
        assert f"cluster {space}/far" in message(seen, space)
        assert "nauthorized" in message(seen, space)
        await put(api, secret(space, remote))
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.4")
        await put(there, true_release(space, "6.8.5"))
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.5")


async def test_account_of_the_documentation_has_the_rights_that_are_needed(
    flux: ApiServer, remote: ApiServer, api: HttpClusterApi, space: str
) -> None:
    blocks = DOCUMENTATION.read_text().split("```yaml\n")[1:]
    rights = next(text for text in blocks if "ServiceAccount" in text).partition("```")[0]
    rights = rights.replace("namespace: shop", f"namespace: {space}")
    await asyncio.to_thread(remote.kubectl, "apply", "-f", "-", stdin=rights)
    token = remote.kubectl("-n", space, "create", "token", "countersign-reader").strip()
    await put(api, secret(space, remote, token=token))
    await put(api, gitops_cluster(space))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.4")

        assert seen.findings(space) == {}


async def test_what_is_missing_on_the_way_is_said(
    flux: ApiServer, remote: ApiServer, api: HttpClusterApi, space: str
) -> None:
    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: "cluster_missing" in seen.findings(space))
        await put(api, gitops_cluster(space))
        await seen.until(lambda: "secret_missing" in seen.findings(space))
        assert f"{space}/far" in message(seen, space)
        program = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/true"}
        await put(api, secret(space, remote, exec=program))
        await seen.until(lambda: "bad_kubeconfig" in seen.findings(space))
        assert "COUNTERSIGN_KUBECONFIG_EXEC" in message(seen, space)
        await put(api, secret(space, remote, tokenFile="/etc/hostname"))
        await seen.until(lambda: "tokenFile" in message(seen, space))
        await put(api, secret(space, remote))
        await seen.until(lambda: seen.revision(space, "prod") == "6.8.4")
        await api.call("DELETE", path_of(gitops_cluster(space)))
        await seen.until(lambda: seen.condition(space, "prod") == "UNKNOWN")
        assert "cluster_missing" in seen.findings(space)
        assert seen.revision(space, "dev") == "6.9.0"


async def test_cluster_whose_kind_is_not_installed_is_read_once_it_is(
    flux: ApiServer, remote: ApiServer, there: HttpClusterApi, space: str
) -> None:
    """The other way round: where the second one leads to the first."""
    ref = {"kind": "GitopsCluster", "name": "far"}
    targets = {"prod": [{"namespace": space, "clusterRef": ref}]}
    await put(there, true_pipeline(space, "dev", "prod", targets=targets))
    await put(there, secret(space, flux))

    async with eyes(remote.settings()) as seen:
        await seen.until(lambda: "kind_not_installed" in seen.findings(space))
        assert f"cluster {space}/far: the kind GitopsCluster" in message(seen, space)
        assert "cluster_missing" not in seen.findings(space)
        assert seen.condition(space, "prod") == "UNKNOWN"
        assert seen.revision(space, "dev") == "6.8.4"
        crd = skip_without("crds") / "gitopsclusters.yaml"
        await asyncio.to_thread(remote.kubectl, "apply", "--server-side", "-f", str(crd))
        await put_patiently(there, gitops_cluster(space))
        await seen.until(lambda: seen.revision(space, "prod") == "6.9.0")
        assert seen.findings(space) == {}
