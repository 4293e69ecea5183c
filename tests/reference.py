"""Where the vendors' API descriptions and the recordings of real controllers are.

They are not ours to copy, so they lie beside the repository, or where `COUNTERSIGN_REFERENCE` says.
"""

import os
from pathlib import Path

import pytest

VARIABLE = "COUNTERSIGN_REFERENCE"
ABSENT = "reference material is absent"
ROOT = Path(__file__).resolve().parent.parent
# Files of its folder `crds`.
CRDS = ("helmreleases", "kustomizations", "gitopsclusters", "pipelines")


def directory() -> Path | None:
    """The folder with any of `api/`, `crds/` and `recordings/`, if this machine has it."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else ROOT.parent / "shared"
    parts = ("recordings", "crds", "api")
    return folder if any((folder / part).is_dir() for part in parts) else None


def skip_without(part: str = "recordings") -> Path:
    """The folder or file of that name; where it is absent the test is skipped with the reason."""
    found = directory()
    if found is None or not (found / part).exists():
        pytest.skip(f"{ABSENT}: {part!r}; set {VARIABLE} to have it")
    return found / part
