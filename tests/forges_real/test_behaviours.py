"""What is tried at every kind's double is tried at the real server: the same tests."""

from types import ModuleType
from typing import Final

from conformance import (
    test_labelling,
    test_large_files,
    test_merging,
    test_reading,
    test_writing,
)

_SUITES: Final[tuple[ModuleType, ...]] = (
    test_reading,
    test_writing,
    test_labelling,
    test_merging,
    test_large_files,
)
promoter = test_large_files.promoter
globals().update(
    {
        f"{name}": case
        for suite in _SUITES
        for name, case in vars(suite).items()
        if name.startswith("test_") and "stage" in getattr(case, "__annotations__", {})
    }
)
