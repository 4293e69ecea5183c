"""Follows streams and hints, and hands on what comes."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import PullRequestOpened
from countersign.contracts.subjects import FLUX_HINT
from countersign.messaging.bus import Bus, Received
from countersign.messaging.projections.core_subjects import hear
from countersign.messaging.projections.follower import follow
from countersign.process.http.rates import WINDOW_S, RateLimit
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger
from countersign.watcher.hints.flux_events import read_event
from countersign.watcher.hints.reception import Hints
from countersign.watcher.metrics import HINTS
from countersign.watcher.observation.observer import Observer
from countersign.watcher.pulls.news import PullRequestNews
from countersign.watcher.pulls.sources import without_foreign_page

log = get_logger()

# Flux sends some events for each object that changes; everybody who may speak there shares this.
HINTS_PER_S_MAX: Final = 200


class Tell(Protocol):
    """Tells somebody of what was stored in a stream."""

    def __call__(self, event: Message, *, recorded_at: datetime) -> None: ...


async def follow_streams(
    bus: Bus,
    *,
    observer: Observer,
    news: PullRequestNews,
    origins: frozenset[str] | None,
    tell: Tell | None = None,
) -> None:
    """Follow the streams from their beginning; `origins` are of forges that may be linked."""

    async def apply(received: Received) -> None:
        event = without_foreign_page(received.message, origins)
        names: dict[str, str | int] = {
            "message": type(event).__name__,
            "sequence": received.sequence,
        }
        with one_entry("fold events", **names):
            observer.on_event(event, sequence=received.sequence, trace=received.trace)
        if tell is not None:
            with one_entry("queue steps", **names):
                tell(event, recorded_at=received.recorded_at)
        if isinstance(event, PullRequestOpened):
            try:
                with one_entry("publish parked news", **names):
                    await news.on_opened(event)
            except Retryable as error:
                log.warning("parked_news.lost", reason=error.reason)

    await follow(
        bus,
        streams=("PROMOTIONS", "PIPELINES", "TOKENS"),
        apply=apply,
        caught_up=observer.caught_up,
        restarted=observer.on_restarted,
    )


async def follow_hints(bus: Bus, hints: Hints, *, monotonic_s: Callable[[], float]) -> None:
    """Take those of Flux's `nats` provider until cancelled."""
    rate = RateLimit(requests_max=int(HINTS_PER_S_MAX * WINDOW_S), clock=monotonic_s)

    def on_body(body: bytes) -> None:
        try:
            outcome = "dropped" if rate.take("") else hints.on_event(read_event(body))
        except Rejected as refusal:
            outcome = refusal.reason
        HINTS.labels(source="nats", outcome=outcome).inc()

    await hear(bus, FLUX_HINT, on_body=on_body)
