"""What the watcher hears, and who is told."""

from countersign.contracts.errors import Retryable
from countersign.contracts.messages import PullRequestOpened
from countersign.messaging.bus import Bus, Received
from countersign.messaging.projecting import follow
from countersign.telemetry.logs import get_logger
from countersign.watcher.following import Following
from countersign.watcher.handlers import Watching

log = get_logger()


async def follow_streams(bus: Bus, *, watching: Watching, following: Following) -> None:
    """From their beginning, until cancelled."""

    async def apply(received: Received) -> None:
        event = received.message
        watching.on_event(event, sequence=received.sequence, trace=received.trace)
        if isinstance(event, PullRequestOpened):
            try:
                await following.on_opened(event)
            except Retryable as error:
                log.warning("parked_news.lost", reason=error.reason)

    await follow(
        bus,
        streams=("PROMOTIONS", "PIPELINES"),
        apply=apply,
        caught_up=watching.caught_up,
        restarted=watching.on_restarted,
    )
