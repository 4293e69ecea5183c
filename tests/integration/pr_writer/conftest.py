"""A forge, executors, and the whole service on a bus."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from doubles.pr_writer_stage import (
    Runner,
    Stage,
    Story,
    running_executors,
    setting_stage,
    telling_story,
)


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with telling_story(tmp_path) as made:
        yield made


@pytest.fixture
async def runner() -> AsyncIterator[Runner]:
    async with running_executors() as made:
        yield made


@pytest.fixture
async def stage(story: Story, tmp_path: Path) -> AsyncIterator[Stage]:
    async with setting_stage(story, tmp_path) as made:
        yield made
