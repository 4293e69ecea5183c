"""A uvicorn server that says when it serves and ends without killing its process."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.applications import Starlette

SHUTDOWN_S = 3
# uvicorn's own step: signals are seen, and the Date header set, at this pace.
TICK_S = 0.1
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Sets `serving` once it answers.

    Args:
        app: what to serve.
        signals: whether Ctrl-C and SIGTERM end it; tests keep their own handlers.

    """

    def __init__(self, app: Starlette, *, signals: bool) -> None:
        config = uvicorn.Config(
            app,
            log_level="error" if signals else "critical",
            # Access logs would hold authorization codes.
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        super().__init__(config)
        self.serving = asyncio.Event()
        self._stopping = asyncio.Event()
        self._signals = SIGNALS if signals else ()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    async def main_loop(self) -> None:
        """Run like uvicorn's, but end at once after `stop`: tests start and stop many servers."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._stopping.wait()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, does not raise the signal again when all is closed."""
        former = {number: signal.signal(number, self.handle_exit) for number in self._signals}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
