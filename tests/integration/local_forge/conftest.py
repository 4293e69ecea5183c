"""A served forge with two people, a repository and an application, and a checked client."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import vendor_api
from checked_forge import FILES, REPO, CheckedClient
from doubles.local_forge import RunningForge, running_forge

from countersign.contracts.secret import Secret


@pytest.fixture
async def forge(tmp_path: Path) -> AsyncIterator[RunningForge]:
    async with running_forge(tmp_path / "forge") as running:
        running.person("ada", name="Ada Example")
        running.person("bob", name="Bob Example")
        running.person("eve")
        running.repository(REPO, FILES, writers=["ada"], readers=["bob"])
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
def rest(forge: RunningForge, http: httpx2.AsyncClient) -> CheckedClient:
    return CheckedClient(http, forge.api)


Graph = Callable[..., Any]


@pytest.fixture
def graph(forge: RunningForge, http: httpx2.AsyncClient) -> Graph:
    """Send a GraphQL document that GitHub's own schema allows."""

    async def send(token: Secret, document: str, **variables: Any) -> dict[str, Any]:
        vendor_api.check_graphql(document, variables)
        answer = await http.post(
            f"{forge.origin}/api/graphql",
            json={"query": document, "variables": variables},
            headers={"authorization": f"Bearer {token.reveal()}"},
        )
        assert answer.status_code == 200, answer.text
        parsed: dict[str, Any] = answer.json()
        return parsed

    return send


@pytest.fixture
def writer(forge: RunningForge) -> Secret:
    return forge.token("ada", scopes=["repo"])


@pytest.fixture
def reader(forge: RunningForge) -> Secret:
    return forge.token("bob", scopes=["repo"])
