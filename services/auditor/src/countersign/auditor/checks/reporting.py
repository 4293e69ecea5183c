"""Publishes what a check found: what is new, and on schedule that nothing is."""

from datetime import datetime, timedelta

from countersign.auditor.interfaces import Clock, Publisher
from countersign.auditor.model import key_of, says_the_same
from countersign.auditor.projection import Projection
from countersign.contracts.messages import TokenChecked, TokenValidity
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter, gauge

log = get_logger()

EXPIRING = gauge(
    "credentials_expiring", "Stored credentials, by the days until they expire.", ("within",)
)
_DAYS = (1, 7, 30, 90)
CHECKS = counter(
    "auditor_checks_total",
    "Checks of stored credentials.",
    ("validity",),
    known=((each.name.lower(),) for each in TokenValidity if each is not TokenValidity.UNSPECIFIED),
)
CREDENTIALS = gauge("credentials", "Stored credentials, by validity.", ("validity",))
SOONEST = gauge(
    "credentials_soonest_expiry_days",
    "Days until the first stored credential of an environment expires.",
    ("environment",),
)


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


def measure_credentials(projection: Projection, *, now: datetime) -> None:
    """Count credentials by when they expire, each in the nearest class alone, and by validity."""
    known = [c for key in sorted(projection.known()) if (c := projection.checked(key)) is not None]
    counted = dict.fromkeys([*(f"{days}d" for days in _DAYS), "later", "never", "unknown"], 0)
    valid = dict.fromkeys(TokenValidity, 0)
    soonest: dict[str, float] = {}
    for checked in known:
        counted[_class_of(checked, now=now)] += 1
        valid[checked.validity] += 1
        if checked.expires_at is not None:
            left = (checked.expires_at - now) / timedelta(days=1)
            for environment in {use.environment for use in checked.uses}:
                soonest[environment] = min(left, soonest.get(environment, left))
    for within, count in counted.items():
        EXPIRING.labels(within=within).set(count)
    for validity, count in valid.items():
        CREDENTIALS.labels(validity=validity.name.lower()).set(count)
    SOONEST.clear()
    for environment, days in soonest.items():
        SOONEST.labels(environment=environment).set(days)


def _class_of(checked: TokenChecked, *, now: datetime) -> str:
    if checked.expires_at is None:
        return "never" if checked.expiry_known else "unknown"
    left = checked.expires_at - now
    return next((f"{days}d" for days in _DAYS if left <= timedelta(days=days)), "later")
