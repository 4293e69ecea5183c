"""A pull consumer kept busy: never more delivered than there are free hands.

Overlapping requests for messages, each for as many as may still come; what is delivered is started
at once, so nothing waits unseen until its acknowledgement is overdue. No hot loop when the
consumer or its stream is missing.
Source: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-37.md
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from countersign.contracts.errors import Retryable
from countersign.messaging.topology.streams import Durable
from countersign.telemetry.logs import get_logger

log = get_logger()

EXPIRES_S: Final = 30.0
HEARTBEAT_S: Final = 5.0
# Two heartbeats and a bit: then the request is lost, or the server.
SILENCE_MAX_S: Final = 12.0
RETRY_S: Final = 1.0
_NOT_ASKED: Final = "not asked for work yet"
_SECOND_NS: Final = 1_000_000_000
_CONSUMER_GONE: Final = frozenset({"404", "503"})

Send = Callable[[str, bytes], Awaitable[None]]
Flush = Callable[[], Awaitable[None]]


class Puller:
    def __init__(self, durable: Durable, *, slots: int, send: Send, flush: Flush) -> None:
        self._durable = durable
        self._slots = slots
        self._send = send
        self._flush = flush
        self._asked = 0
        self._busy = 0
        self._heard_at = 0.0
        self._retry_at = 0.0
        self._trouble: str | None = _NOT_ASKED
        self._changed = asyncio.Event()

    def reason(self) -> str | None:
        """Return the reason for which new work would go unnoticed, or None."""
        return self._trouble

    async def run(self) -> None:
        while True:
            now = self._now()
            if self._asked and now - self._heard_at > SILENCE_MAX_S:
                self._lost("the bus is silent")
            free = self._slots - self._busy - self._asked
            wanted = free > 0 and (self._asked == 0 or free * 2 >= self._slots)
            if wanted and now >= self._retry_at:
                await self._ask(free)
                continue
            self._changed.clear()
            wait_s = HEARTBEAT_S if not wanted else max(self._retry_at - now, 0.0)
            try:
                # Not `wait_for`: of Python 3.11 it loses a cancellation that comes with the event.
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def delivered(self) -> None:
        self._heard_at = self._now()
        self._asked = max(self._asked - 1, 0)
        self._busy += 1
        self._trouble = None

    def finished(self) -> None:
        self._busy -= 1
        self._changed.set()

    def told(self, status: str, headers: Mapping[str, str]) -> None:
        """Take note of a status message, which comes where messages come."""
        self._heard_at = self._now()
        if status == "100":
            self._trouble = None
            return
        if status == "408":
            self._trouble = None
            self._asked = max(self._asked - int(headers.get("Nats-Pending-Messages", "0")), 0)
            self._changed.set()
            return
        description = headers.get("Description", "")
        gone = status in _CONSUMER_GONE or "Deleted" in description
        self._lost(
            f"durable {self._durable.name!r} of {self._durable.stream!r} is missing"
            if gone
            else f"{status} {description}"
        )

    def reconnected(self) -> None:
        """Requests of the old connection are forgotten by the server."""
        self._asked = 0
        self._retry_at = 0.0
        self._changed.set()

    def _lost(self, reason: str) -> None:
        if self._trouble != reason:
            log.warning("work.not_delivered", durable=self._durable.name, reason=reason)
        self._trouble = reason
        self._asked = 0
        self._retry_at = self._now() + RETRY_S
        self._changed.set()

    async def _ask(self, count: int) -> None:
        if self._asked == 0:
            self._heard_at = self._now()
        self._asked += count
        durable = self._durable
        body = {
            "batch": count,
            "expires": int(EXPIRES_S * _SECOND_NS),
            "idle_heartbeat": int(HEARTBEAT_S * _SECOND_NS),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}"
        try:
            await self._send(subject, json.dumps(body).encode())
            if self._trouble == _NOT_ASKED:
                # Later troubles end when the bus is heard again.
                await self._flush()
                self._trouble = None if self._asked else self._trouble
        except Retryable as error:
            self._lost(error.message)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
