"""Asking another replica whether it lives."""

from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Retryable
from countersign.contracts.messages import PingRequest
from countersign.messaging.bus import Bus
from countersign.messaging.refusals import BusRefusal
from countersign.telemetry.logs import get_logger

log = get_logger()

PING_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True)
class BusReplicas:
    bus: Bus

    async def is_gone(self, replica: str) -> bool:
        try:
            await self.bus.request(
                "approval.ping",
                PingRequest(replica=replica),
                replica=replica,
                timeout_s=PING_TIMEOUT_S,
            )
        except Retryable as error:
            log.info("replica.silent", replica=replica, reason=error.reason)
            # Only the server's word that nobody listens; we may be the one who is cut off.
            return error.reason is BusRefusal.NO_RESPONDER
        return False
