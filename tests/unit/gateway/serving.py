"""A gateway on a real port, without a bus, for browsers and benchmarks."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unit.gateway.doubles import World

from countersign.gateway.bootstrap import CONNECTIONS_MAX
from countersign.process.listening import listen, serve


def world_on_a_port() -> tuple[World, socket.socket]:
    listener = listen("127.0.0.1", 0)
    world = World(public_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    return world, listener


@asynccontextmanager
async def serving(world: World, listener: socket.socket) -> AsyncIterator[str]:
    async with asyncio.TaskGroup() as tasks:
        hub = tasks.create_task(world.hub.run())
        served = tasks.create_task(
            serve(world.app, listener, connections_max=CONNECTIONS_MAX, on_stop=world.hub.close)
        )
        try:
            yield world.public_url
        finally:
            served.cancel()
            hub.cancel()
