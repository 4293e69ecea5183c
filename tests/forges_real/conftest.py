"""Real forges, each started once for all tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from conformance.checking import CheckingTransport
from conformance.doubles import DOUBLES
from conformance.stages import OTHER, OWNER, READER, WRITER
from forges_real.building import built
from forges_real.gitea_server import GiteaServer
from forges_real.stage import RealStage, lay_stage, prepare_stage

from countersign.contracts.forge_list import Forge
from countersign.forges.http import ForgeHttp


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GiteaServer]:
    made = GiteaServer(static=built(), work=tmp_path_factory.mktemp("gitea"))
    try:
        made.start()
        for login in (WRITER, OTHER, READER):
            made.person(login)
        made.organization(OWNER, writers=(WRITER, OTHER))
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_stage(tmp_path_factory.mktemp("seed") / "fleet")


@pytest.fixture(scope="session")
def tokens(server: GiteaServer) -> dict[str, str]:
    """Personal ones, as strong as the ones that people delegate; the last may comment as well."""
    double = DOUBLES["gitea"]
    scopes = {WRITER: double.labelling, READER: (), OTHER: double.commenting}
    return {who: server.personal_token(who, *double.scopes, *s) for who, s in scopes.items()}


@pytest.fixture
async def stage(
    server: GiteaServer, seed: Path, tokens: dict[str, str]
) -> AsyncIterator[RealStage]:
    lay_stage(server, seed)
    transport = CheckingTransport(httpx2.AsyncHTTPTransport(), vendor=DOUBLES["gitea"].vendor)
    entry = Forge(name="Ours", kind="gitea", origin=server.origin, api=server.api)
    async with ForgeHttp(entry, transport=transport) as http:
        yield RealStage(kind="gitea", server=server, transport=transport, http=http, tokens=tokens)
