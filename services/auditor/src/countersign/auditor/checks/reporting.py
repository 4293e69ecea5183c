"""Publishes what a check found: what is new, and on schedule that nothing is."""

from countersign.auditor.interfaces import Clock, Publisher
from countersign.auditor.model import key_of, says_the_same
from countersign.auditor.projection import Projection
from countersign.contracts.messages import TokenChecked
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter

log = get_logger()

CHECKS = counter("auditor_checks_total", "Checks of stored credentials.", ("validity",))


class Reports:
    def __init__(self, publisher: Publisher, *, projection: Projection, now: Clock) -> None:
        self._publisher = publisher
        self._projection = projection
        self._now = now

    async def publish(self, event: TokenChecked, *, scheduled: bool) -> None:
        """Publish a check if it says something new, or was due.

        Raises:
            Retryable: the bus is away.

        """
        key = key_of(event.credential)
        same = says_the_same(event, self._projection.checked(key))
        CHECKS.labels(validity=event.validity.name.lower()).inc()
        if same and not scheduled:
            return
        await self._publisher.publish(event, message_id=f"{key}@{self._now().isoformat()}")
        self._projection.token_checked(event)
        log.info(
            "token.checked",
            secret=str(key),
            validity=event.validity.name.lower(),
            changed=not same,
            findings=[f.code for f in event.findings],
        )
