"""The peer's package, fetched once."""

from pathlib import Path

import pytest
from doubles.oidc_provider import fetch


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch(tmp_path_factory.mktemp("oidc-provider"))
