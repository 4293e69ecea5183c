"""Promotions that wait, in numbers: by environment and state, never by an application's name."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from countersign.contracts.promotion import OVER, Promotion
from countersign.watcher.metrics import OLDEST_SECONDS, PROMOTIONS


def measure(promotions: Iterable[Promotion], *, now: datetime) -> None:
    """Set the gauges to what is true now."""
    ages: dict[tuple[str, str], list[float]] = defaultdict(list)
    for promotion in promotions:
        if promotion.state in OVER:
            continue
        since = promotion.changed_at or promotion.request.requested_at or now
        place = promotion.request.promotion.environment, promotion.state.value
        ages[place].append(max(0.0, (now - since).total_seconds()))
    PROMOTIONS.clear()
    OLDEST_SECONDS.clear()
    for (environment, state), found in ages.items():
        PROMOTIONS.labels(environment=environment, state=state).set(len(found))
        OLDEST_SECONDS.labels(environment=environment, state=state).set(max(found))
