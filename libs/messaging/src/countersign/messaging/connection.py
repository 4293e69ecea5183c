"""One connection to the bus: private inbox, never gives up, and says how it is.

A connection that the client library closed for good cannot be used again, and FastStream spins on
it; the process ends then and is started anew.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from countersign.contracts.errors import Retryable
from countersign.contracts.subjects import inbox_prefix
from countersign.messaging.meters import RECONNECTS, VIOLATIONS
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.settings import BusSettings
from countersign.messaging.wire.client import CLOSE_TIMEOUT_S, BusClient
from countersign.process.clocks import MACHINE, Clocks
from countersign.process.faults.connections import ConnectionFault, fault_of
from countersign.process.health import Health
from countersign.process.tasks.cancellation import keeping_cancellation, uninterrupted
from countersign.telemetry.logs import get_logger
from countersign.telemetry.redaction import redact

log = get_logger()

EXIT_CLOSED: Final = 70
CONNECT_TIMEOUT_S: Final = 5
RECONNECT_WAIT_S: Final = 0.5
PING_INTERVAL_S: Final = 10
PINGS_OUTSTANDING_MAX: Final = 2
# A server that is there takes milliseconds.
CONNECTING_GRACE_S: Final = 1.0
_BARRIER_TIMEOUT_S: Final = 5
# The server's own words, which are its protocol.
_VIOLATION: Final = "permissions violation"
# What is published while the bus is away waits here; beyond it, publishing fails at once.
PENDING_BYTES_MAX: Final = 2 * 1024 * 1024

Callback = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A service on the bus, the health that its condition is reported to, and its clocks."""

    service: str
    settings: BusSettings
    health: Health
    clocks: Clocks = MACHINE


class ConnectionState:
    """The condition of one connection, as callbacks of the client library report it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopping = False
        self._trouble: str | None = "connecting"
        self._violation: str | None = None
        self._on_reconnect: list[Callback] = []

    def reason(self) -> str | None:
        """Return the reason for which the bus cannot be used, or None."""
        return self._trouble or self._violation

    def when_reconnected(self, callback: Callback) -> Callback:
        """Call back at each reconnection; returns what ends that."""
        self._on_reconnect.append(callback)
        return lambda: self._on_reconnect.remove(callback)

    def options(self, settings: BusSettings, service: str) -> dict[str, Any]:
        """Arguments of the client library."""
        return {
            "servers": settings.servers,
            "name": self.name,
            "allow_reconnect": True,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": RECONNECT_WAIT_S,
            "connect_timeout": CONNECT_TIMEOUT_S,
            "ping_interval": PING_INTERVAL_S,
            "max_outstanding_pings": PINGS_OUTSTANDING_MAX,
            "pending_size": PENDING_BYTES_MAX,
            "inbox_prefix": inbox_prefix(service),
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnected,
            "reconnected_cb": self._on_reconnected,
            "closed_cb": self._on_closed,
        }

    def connected(self) -> None:
        self._trouble = None

    async def _on_error(self, error: Exception) -> None:
        text = _said(error)
        if _VIOLATION in text.lower():
            operation = "subscription" if "subscription" in text.lower() else "publish"
            VIOLATIONS.labels(operation=operation).inc()
            log.error("bus.violation", connection=self.name, reason=text)
            if operation == "subscription":
                # That subscription is dead for good: whoever made it hears nothing.
                self._violation = text
            return
        if self._trouble is not None:
            told, self._trouble = self._trouble, f"not connected: {text}"
            if told == self._trouble:
                # Each half second, until it is back.
                return
        log.warning("bus.error", connection=self.name, reason=text)

    async def _on_disconnected(self) -> None:
        if not self.stopping:
            self._trouble = "not connected"
            log.warning("bus.disconnected", connection=self.name)

    async def _on_reconnected(self) -> None:
        self._trouble = self._violation = None
        RECONNECTS.labels().inc()
        log.info("bus.reconnected", connection=self.name)
        for callback in list(self._on_reconnect):
            callback()

    async def _on_closed(self) -> None:
        if not self.stopping:
            log.error("bus.closed", connection=self.name)
            os._exit(EXIT_CLOSED)


class Trial(ConnectionState):
    """The condition of a connection that is made only to try the bus: nobody else is told of it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.stopping = True
        self.fault = ConnectionFault.BROKEN

    async def _on_error(self, error: Exception) -> None:
        text = _said(error)
        self.fault = fault_of(error)
        if _VIOLATION in text.lower():
            self._violation = text
        elif self._trouble is not None and not self._is_refused():
            self._trouble = f"not connected: {text}"

    def _is_refused(self) -> bool:
        """Return whether the server refused our key: later it may reset before its word is read."""
        return "authorization" in (self._trouble or "").lower()


def _said(error: Exception) -> str:
    return redact(str(error)) or type(error).__name__


async def connect(settings: BusSettings, *, service: str, state: ConnectionState) -> BusClient:
    """Connect, however long it takes; `state` tells why not, until it is told `connected()`."""
    client = BusClient(settings)
    key: dict[str, Any] = {"nkeys_seed": str(settings.nkey_file)} if settings.nkey_file else {}
    try:
        # Cancelled half-way, the client library would leave its socket open.
        await uninterrupted(
            client.connect(**state.options(settings, service), **key),
            grace_s=CONNECTING_GRACE_S,
        )
    except BaseException:
        await close(client, state)
        raise
    return client


async def ask(
    client: Client,
    subject: str,
    body: bytes = b"",
    *,
    timeout_s: float,
    headers: dict[str, str] | None = None,
) -> Msg:
    """The first answer, as `Client.request` gives it and with its errors."""
    with keeping_cancellation():
        return await client.request(subject, body, timeout=timeout_s, headers=headers)


async def barrier(client: Client) -> None:
    """Wait until the server has seen everything sent before.

    One `flush` of nats-py does not tell: its ping overtakes what still waits in the buffer.

    Raises:
        Retryable: the server does not answer in time.

    """
    try:
        with keeping_cancellation():
            await client.flush(_BARRIER_TIMEOUT_S)
            await client.flush(_BARRIER_TIMEOUT_S)
    except NatsError as error:
        raise Retryable(BusRefusal.UNAVAILABLE, type(error).__name__) from error


async def close(client: Client, state: ConnectionState) -> None:
    """Send what is pending, and close; never waits long."""
    state.stopping = True
    await _bounded(client.flush(int(CLOSE_TIMEOUT_S)) if client.is_connected else None)
    await _bounded(client.close())


async def _bounded(awaitable: Awaitable[Any] | None) -> None:
    if awaitable is None:
        return
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await awaitable
    except (TimeoutError, OSError) as error:
        log.warning("bus.close_failed", reason=type(error).__name__)
