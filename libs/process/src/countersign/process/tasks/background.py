"""Work in the background that a service cannot do without.

A task that died leaves a process that answers and does nothing. Whatever the reason, once such work
has ended the process is not live; an error ends it besides, by the task group that it runs in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from countersign.process.health import Check, Health


class WorkEnded(RuntimeError):
    """Work that has no end came to one without an error."""


@contextmanager
def background(name: str, *, health: Health, ready: Check | None = None) -> Iterator[None]:
    """Run a block that only ends by being cancelled; afterwards the process is not live.

    Args:
        name: of the work, among the reasons of `health`.
        health: of the process.
        ready: gives the reason for which the work cannot be done now, or None.

    Raises:
        WorkEnded: the block ended by itself.

    """
    health.remove(name)
    if ready is not None:
        health.add(name, ready)
    try:
        yield
    except BaseException as error:
        _died(name, health, type(error).__name__)
        raise
    _died(name, health, WorkEnded.__name__)
    raise WorkEnded(name)


def _died(name: str, health: Health, reason: str) -> None:
    health.live(name, lambda: f"ended: {reason}")


async def in_background(
    name: str, work: Callable[[], Awaitable[object]], *, health: Health
) -> None:
    """Do work that only ends by being cancelled; errors as of `background`.

    The task that it runs in gets the name of the work.
    """
    task = asyncio.current_task()
    if task is not None:
        task.set_name(name)
    with background(name, health=health):
        await work()
