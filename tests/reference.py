"""Where the vendors' descriptions and recordings lie. They are not part of the repository."""

import os
from pathlib import Path

import pytest

DEFAULT = Path(__file__).resolve().parents[2] / "shared"


def directory() -> Path:
    """The directory of reference material; the test is skipped, with the reason, without it."""
    path = Path(os.environ.get("COUNTERSIGN_REFERENCE", DEFAULT))
    if not (path / "api").is_dir():
        pytest.skip(f"no reference material at {path}; set COUNTERSIGN_REFERENCE")
    return path
