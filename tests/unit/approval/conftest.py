"""One replica of the service, and everything around it."""

from collections.abc import AsyncIterator

import pytest
from doubles.approval_house import Clock, House
from doubles.github_oauth import GitHubDouble

from countersign.approval.assembly import Service


@pytest.fixture
def house() -> House:
    clock = Clock()
    return House(clock=clock, forge=GitHubDouble(now=clock))


@pytest.fixture
async def approval(house: House) -> AsyncIterator[Service]:
    async with house.running("approval-0") as (service,):
        yield service
