"""What the watcher hears, and who is told."""

import time
from datetime import datetime
from typing import Final, Protocol

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import PullRequestOpened
from countersign.contracts.subjects import FLUX_HINT
from countersign.messaging.bus import Bus, Received
from countersign.messaging.projections.core_subjects import hear
from countersign.messaging.projections.follower import follow
from countersign.telemetry.logs import get_logger
from countersign.watcher.hints.flux_events import read_event
from countersign.watcher.hints.hints import Hints
from countersign.watcher.hints.rates import WINDOW_S, RateLimit
from countersign.watcher.measuring import HINTS
from countersign.watcher.observation.handlers import Watching
from countersign.watcher.pulls.following import Following

log = get_logger()

# Flux sends some events for each object that changes; everybody who may speak there shares this.
HINTS_PER_S_MAX: Final = 200


class Tell(Protocol):
    """Tells somebody of what was stored in a stream."""

    def __call__(self, event: Message, *, recorded_at: datetime) -> None: ...


async def follow_streams(
    bus: Bus, *, watching: Watching, following: Following, tell: Tell | None = None
) -> None:
    """From their beginning, until cancelled."""

    async def apply(received: Received) -> None:
        event = received.message
        watching.on_event(event, sequence=received.sequence, trace=received.trace)
        if tell is not None:
            tell(event, recorded_at=received.recorded_at)
        if isinstance(event, PullRequestOpened):
            try:
                await following.on_opened(event)
            except Retryable as error:
                log.warning("parked_news.lost", reason=error.reason)

    await follow(
        bus,
        streams=("PROMOTIONS", "PIPELINES", "TOKENS"),
        apply=apply,
        caught_up=watching.caught_up,
        restarted=watching.on_restarted,
    )


async def follow_hints(bus: Bus, hints: Hints) -> None:
    """Of Flux's `nats` provider, until cancelled."""
    rate = RateLimit(requests_max=int(HINTS_PER_S_MAX * WINDOW_S), clock=time.monotonic)

    def on_body(body: bytes) -> None:
        try:
            outcome = "dropped" if rate.take("") else hints.on_event(read_event(body))
        except Rejected as refusal:
            outcome = refusal.reason
        HINTS.labels(source="nats", outcome=outcome).inc()

    await hear(bus, FLUX_HINT, on_body=on_body)
