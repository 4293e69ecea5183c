"""The clocks, the sleep and the dice of the machine: the one place that reads them.

Whoever needs one takes it as an argument; a test gives its own.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final


def _wall() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Time and chance, as one machine has them.

    `wall` may be stepped back or forward at any moment; what must last so long is measured with
    `monotonic`, in seconds since no particular moment. `random` is from 0 to below 1.
    """

    wall: Callable[[], datetime] = _wall
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


MACHINE: Final = Clocks()
