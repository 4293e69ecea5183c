"""Every behaviour is tried at every kind of forge that is written to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.stages import Stage, stage_of

from countersign.dialects.kinds import KINDS

WRITTEN_TO = [kind.name.lower().replace("_", "-") for kind, row in KINDS.items() if row.opens_pulls]


@pytest.fixture(params=WRITTEN_TO)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage_of(request.param, tmp_path) as made:
        yield made
