"""A forge whose certificate only the Secret vouches for."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from doubles.local_forge import running_forge
from doubles.tls_front import Front, tls_front

from countersign.auditor.checks.probing import ForgeProber
from countersign.auditor.checks.restraint import Restraint
from countersign.auditor.interfaces import Inquiry, Reading
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import TokenValidity
from countersign.contracts.secret import Secret
from countersign.forges.http import ForgeHttp


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[tuple[Front, Secret]]:
    async with running_forge(tmp_path / "forge") as forge:
        forge.person("robot")
        port = urlsplit(forge.origin).port
        assert port is not None
        async with tls_front(tmp_path / "tls", port=port) as made:
            yield made, forge.token("robot", scopes=["repo"])


@pytest.mark.parametrize(
    ("authority", "validity"),
    [
        ("right", TokenValidity.VALID),
        ("", TokenValidity.UNKNOWN),
        ("no certificate", TokenValidity.UNKNOWN),
    ],
)
async def test_authority_of_the_secret_is_believed_for_its_token(
    front: tuple[Front, Secret], authority: str, validity: TokenValidity
) -> None:
    made, token = front
    forge = Forge(name="Forge", kind="github", origin=made.origin)
    async with ForgeHttp(forge) as client:
        restraint = Restraint(share=0.02, jitter=lambda: 0.5)
        prober = ForgeProber(
            {made.origin: client}, restraint=restraint, now=lambda: datetime.now(UTC)
        )
        pem = made.authority if authority == "right" else authority

        reading = Reading(changed_at=datetime.now(UTC), token=token, authority=pem)
        told = await prober.probe(Inquiry(forge=forge, reading=reading))

    assert told.validity is validity
