"""What this service works on."""

from countersign.messaging.bus import Received, Work
from countersign.pr_writer.handlers import Handling

DURABLE = "pr-writer-jobs"


def work(handling: Handling, *, at_once: int) -> tuple[Work, ...]:
    async def on_job(received: Received) -> None:
        await handling.on_work(
            received.message, sequence=received.sequence, tries=received.deliveries
        )

    return (Work(DURABLE, on_job, at_once=at_once),)
