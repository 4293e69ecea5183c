"""What the tests of one module share: the whole system, and people who look at it."""

from collections.abc import Iterator

import prerequisites
import pytest
from browser.staging import stage

from countersign.local.demo.running import Running


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    prerequisites.path_or_skip(prerequisites.BROWSER)
    with stage(tmp_path_factory.mktemp("stage")) as running:
        yield running
