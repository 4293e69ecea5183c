"""The durable that this service works on."""

from countersign.messaging.bus import Work
from countersign.pr_writer.parent.handling import Handling

DURABLE = "pr-writer-jobs"


def work(handling: Handling, *, at_once: int) -> tuple[Work, ...]:
    return (Work(DURABLE, handling.on_work, at_once=at_once),)
