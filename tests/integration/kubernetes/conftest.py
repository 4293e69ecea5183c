"""One API server for all tests of a worker, one Namespace for each test."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import reference
from apiserver import ApiServer, running
from doubles.observed_cluster import make_namespace
from doubles.streams import provision
from doubles.told_cluster import Told
from e2e.mirroring import install

from countersign.kube.access.http_api import HttpClusterApi, cluster_api
from countersign.messaging.administration.local_server import local_server


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = running(tmp_path_factory.mktemp("apiserver"))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Another one, with the kinds of Flux and of Weave as they are."""
    theirs = reference.skip_without("crds")
    server = running(tmp_path_factory.mktemp("flux"))
    try:
        install(server, theirs / "pipelines.yaml", theirs / "gitopsclusters.yaml")
        yield server
    finally:
        server.stop()


@pytest.fixture
async def admin(apiserver: ApiServer) -> AsyncIterator[HttpClusterApi]:
    async with cluster_api(apiserver.settings()) as api:
        yield api


@pytest.fixture
async def namespace(admin: HttpClusterApi) -> str:
    name = f"t-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await admin.call("POST", "/api/v1/namespaces", body=body)
    return name


@pytest.fixture
async def api(flux: ApiServer) -> AsyncIterator[HttpClusterApi]:
    """Of an administrator of the server with Flux's kinds."""
    async with cluster_api(flux.settings()) as found:
        yield found


@pytest.fixture
async def space(api: HttpClusterApi) -> str:
    """A namespace there."""
    return await make_namespace(api)


@pytest.fixture
async def told(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str, tmp_path: Path
) -> AsyncIterator[Told]:
    """Whoever asks for it has installed a CRD of Pipelines, ours or theirs."""
    await make_namespace(admin, f"{namespace}-prod")
    async with local_server(tmp_path / "bus") as bus:
        await provision(bus)
        yield Told(apiserver, admin, bus, namespace)
