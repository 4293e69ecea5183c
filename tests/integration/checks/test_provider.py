"""A real identity provider is tried as the gateway does at its start."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from doubles.oidc_provider import IdentityProvider, fetch, provider

from countersign.checks.model import Fault, Finding
from countersign.checks.provider import check_provider

HOME = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch(tmp_path_factory.mktemp("oidc-provider"))


@pytest.fixture
async def idp(installed: Path) -> AsyncIterator[IdentityProvider]:
    async with provider(installed, redirect_origin=HOME) as running:
        yield running


async def tried(issuer: str, *, ahead: timedelta = timedelta()) -> list[Finding]:
    def now() -> datetime:
        return datetime.now(UTC) + ahead

    return [one async for one in check_provider(issuer, None, now=now)]


async def test_provider_is_there_by_its_name_and_of_our_time(idp: IdentityProvider) -> None:
    assert [one.fault for one in await tried(idp.issuer)] == [None, None]


async def test_provider_by_another_name_of_its_host_calls_itself_otherwise(
    idp: IdentityProvider,
) -> None:
    found = await tried(idp.issuer.replace("127.0.0.1", "localhost"))

    assert [one.fault for one in found] == [Fault.OTHER_ISSUER, None]


async def test_clock_that_differs_from_the_provider_is_wrong(idp: IdentityProvider) -> None:
    found = await tried(idp.issuer, ahead=timedelta(minutes=-5))

    assert [one.fault for one in found] == [None, Fault.CLOCK_WRONG]


async def test_provider_that_is_away_is_unreachable(idp: IdentityProvider) -> None:
    await idp.stop()

    assert [one.fault for one in await tried(idp.issuer)] == [Fault.UNREACHABLE]
