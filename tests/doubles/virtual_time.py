"""An event loop whose clock jumps to what is due next, so that minutes take no time."""

import asyncio
import selectors
from typing import Any


class _Idle(selectors.SelectSelector):
    """Never waits: a wait moves the loop's clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000_000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.now_s += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what is scheduled in its order; `time` is virtual."""

    def __init__(self) -> None:
        self._idle = _Idle()
        super().__init__(self._idle)

    def time(self) -> float:
        return self._idle.now_s
