"""Where the vendors' API descriptions and the recordings of real controllers are.

They are not ours to copy, so they lie beside the repository, or where `COUNTERSIGN_REFERENCE` says.
"""

import os
from pathlib import Path

import pytest

ABSENT = "reference material is absent"
ROOT = Path(__file__).resolve().parent.parent


def directory() -> Path | None:
    """The folder with `api/`, `crds/` and `recordings/`, if this machine has it."""
    named = os.environ.get("COUNTERSIGN_REFERENCE")
    candidates = [Path(named)] if named else [ROOT.parent / "shared"]
    return next((c for c in candidates if (c / "recordings").is_dir()), None)


def skip_without(part: str = "recordings") -> Path:
    """The folder or file of that name; where it is absent the test is skipped with the reason."""
    found = directory()
    if found is None or not (found / part).exists():
        pytest.skip(f"{ABSENT}: {part!r}; set COUNTERSIGN_REFERENCE to have it")
    return found / part
