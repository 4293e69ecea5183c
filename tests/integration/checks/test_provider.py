"""A real identity provider is tried as the gateway does at its start."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from doubles.oidc_provider import IdentityProvider, fetch, provider
from doubles.tls_front import tls_front

from countersign.checks.model import Fault, Finding
from countersign.checks.provider import check_provider
from countersign.checks.words import advice

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HTTPS = "https://localhost:9"
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

    assert [one.fault for one in await tried(idp.issuer)] == [Fault.CONNECTION_REFUSED]


async def test_provider_whose_authority_is_not_ours_is_told_with_the_setting(
    tmp_path: Path,
) -> None:
    async with tls_front(tmp_path, port=9) as front:
        (found,) = await tried(front.origin)

    assert found.fault is Fault.NOT_TRUSTED
    assert "COUNTERSIGN_OIDC_CA_FILE" in advice(found)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_authority_of_the_provider_that_cannot_be_read_is_told(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    (found,) = [one async for one in check_provider(HTTPS, file, now=lambda: NOW)]

    assert found.fault is Fault.BAD_AUTHORITY
    assert str(file) in found.detail
