"""Follows the streams from their beginning."""

import asyncio

from countersign.messaging.bus import Bus
from countersign.messaging.projecting import follow
from countersign.watcher.routes import Route


async def follow_streams(bus: Bus, *, routes: tuple[Route, ...], caught_up: asyncio.Event) -> None:
    """Until cancelled; `caught_up` is set when all that they held was applied."""
    replayed = [asyncio.Event() for _ in routes]

    async def wait() -> None:
        for event in replayed:
            await event.wait()
        caught_up.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wait())
        for route, event in zip(routes, replayed, strict=True):
            tasks.create_task(
                follow(
                    bus,
                    streams=(route.stream,),
                    apply=route.apply,
                    caught_up=event,
                    restarted=route.restarted,
                )
            )
