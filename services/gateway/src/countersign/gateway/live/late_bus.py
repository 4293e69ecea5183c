"""The bus, which may not be there yet: pages are served, and say so, before it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from countersign.contracts.errors import Retryable
from countersign.contracts.message import Message
from countersign.gateway.refusals import Delay
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.leader_reads import stream_state
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.settings import BusSettings
from countersign.process.health import Health

SERVICE: Final = "gateway"
BROADCAST_TIMEOUT_S: Final = 5.0
# With the time between two looks, a bus that hangs is noticed within five seconds.
SIGN_OF_LIFE_S: Final = 2.5


class LateBus:
    """Owns the connection; refuses requests until there is one."""

    def __init__(self) -> None:
        self._bus: Bus | None = None
        # Streams that gave no sign of life: of several servers, some may be out of reach.
        self._silent: set[str] = set()

    @property
    def connected(self) -> bool:
        alive = self._bus is not None and self._bus.state.reason() is None
        return alive and not self._silent

    @property
    def silent(self) -> frozenset[str]:
        return frozenset(self._silent)

    async def fullness(self, stream: str) -> float | None:
        """Ask how full a stream is, as a part of 1; none if the bus gives no sign of life.

        A server that hangs keeps its connections, and the client library waits half a minute.
        """
        bus = self._bus
        if bus is None or bus.state.reason() is not None:
            return None
        try:
            async with asyncio.timeout(SIGN_OF_LIFE_S):
                state = await stream_state(bus.client, stream)
        except TimeoutError:
            self._silent.add(stream)
            return None
        except Retryable as error:
            if error.reason is not BusRefusal.NO_STREAM:
                self._silent.add(stream)
            return None
        self._silent.discard(stream)
        return state.bytes_stored / state.bytes_max if state.bytes_max > 0 else 0.0

    async def run(
        self, settings: BusSettings, *, health: Health, use: Callable[[Bus], Awaitable[None]]
    ) -> None:
        """Connect, however long it takes, and use the bus until cancelled."""
        async with open_bus(settings, service=SERVICE, health=health) as bus:
            self._bus = bus
            try:
                await use(bus)
            finally:
                self._bus = None
                self._silent.clear()

    def _current(self) -> Bus:
        if self._bus is None or self._silent:
            raise Retryable(Delay.BUS_UNAVAILABLE, "the bus cannot be reached")
        return self._bus

    async def request(
        self, method: str, request: Message, *, replica: str = "", timeout_s: float = 10
    ) -> Message:
        return await self._current().request(method, request, replica=replica, timeout_s=timeout_s)

    async def broadcast(self, method: str, request: Message) -> None:
        try:
            async with asyncio.timeout(BROADCAST_TIMEOUT_S):
                await self._current().broadcast(method, request)
        except TimeoutError as error:
            raise Retryable(Delay.TIMEOUT, "the bus does not answer") from error
