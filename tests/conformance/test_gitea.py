"""Stored tokens of Gitea and Forgejo, inspected through the transport."""

from datetime import UTC, datetime

import httpx2
import pytest
from conformance.stages import WRITER, small_stage

from countersign.contracts.messages import TokenValidity
from countersign.contracts.secret import Secret
from countersign.dialects.gitea.inspection import INSPECTION
from countersign.dialects.inspection import Question
from countersign.forges.conversations import converse
from countersign.forges.http import ForgeHttp

SCOPES = ("read:issue", "read:user", "write:repository")


@pytest.mark.parametrize("kind", ["gitea", "forgejo"])
async def test_stored_token_is_told_by_either_way_that_a_forge_has(kind: str) -> None:
    """An older server has no such address, and says so in a text."""
    async with small_stage(kind) as stage:
        token = Secret(stage.forge.token(WRITER, *SCOPES))
        question = Question(credential=token, kind=INSPECTION.kind_of(token), now=datetime.now(UTC))

        # One of both describes the address, and the other answers it all the same.
        unchecked = httpx2.ASGITransport(app=stage.api)  # type: ignore[arg-type]
        async with ForgeHttp(stage.http.forge, transport=unchecked) as http:
            found = await converse(http.send_one, INSPECTION.inspect(question))

    assert found.validity is TokenValidity.VALID
    assert found.scopes == SCOPES
    assert found.owner is not None
    assert found.owner.login == WRITER
