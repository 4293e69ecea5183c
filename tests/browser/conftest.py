"""What the tests of one module share: the whole system, and people who look at it."""

from collections.abc import Iterator

import pytest
from browser.staging import stage

from countersign.local.demo.running import Running


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with stage(tmp_path_factory.mktemp("stage")) as running:
        yield running
