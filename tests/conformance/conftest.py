"""Every behaviour is tried at every kind of forge."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.stages import Stage, stage_of

from countersign.contracts.forge_list import KIND_BY_NAME


@pytest.fixture(params=sorted(KIND_BY_NAME))
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage_of(request.param, tmp_path) as made:
        yield made
