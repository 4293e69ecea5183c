"""Durations for metrics; nothing may be decided by them."""

import time
from collections.abc import Callable


def stopwatch() -> Callable[[], float]:
    """Start one; call what is returned for the seconds since then."""
    started = time.monotonic()
    return lambda: time.monotonic() - started
