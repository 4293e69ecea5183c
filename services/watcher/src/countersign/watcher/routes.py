"""What the watcher hears, and who is told."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from countersign.contracts.errors import Retryable
from countersign.contracts.messages import PullRequestOpened
from countersign.messaging.bus import Received
from countersign.telemetry.logs import get_logger
from countersign.watcher.following import Following
from countersign.watcher.handlers import Watching

log = get_logger()


@dataclass(frozen=True, kw_only=True)
class Route:
    """A stream from its beginning; `restarted` is told when it was deleted and made anew."""

    stream: str
    apply: Callable[[Received], Awaitable[None]]
    restarted: Callable[[], None]


def routes(watching: Watching, following: Following) -> tuple[Route, ...]:
    async def on_promotion(received: Received) -> None:
        event = received.message
        watching.on_event(event, sequence=received.sequence, trace=received.trace)
        if isinstance(event, PullRequestOpened):
            try:
                await following.on_opened(event)
            except Retryable as error:
                log.warning("parked_news.lost", reason=error.reason)

    async def on_pipeline(received: Received) -> None:
        watching.on_event(received.message, sequence=received.sequence, trace=received.trace)

    return (
        Route(stream="PROMOTIONS", apply=on_promotion, restarted=watching.on_promotions_restarted),
        Route(stream="PIPELINES", apply=on_pipeline, restarted=watching.on_observations_restarted),
    )
