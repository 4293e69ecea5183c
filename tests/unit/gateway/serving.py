"""A gateway on a real port, without a bus, for browsers and benchmarks."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unit.gateway.doubles import World

from countersign.gateway.bootstrap import server_of

START_TIMEOUT_S = 10


def world_on_a_port() -> tuple[World, socket.socket]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    world = World(public_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    return world, listener


@asynccontextmanager
async def serving(world: World, listener: socket.socket) -> AsyncIterator[str]:
    server = server_of(world.app)
    async with asyncio.TaskGroup() as tasks:
        hub = tasks.create_task(world.hub.run())
        served = tasks.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(START_TIMEOUT_S):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
        try:
            yield world.public_url
        finally:
            world.hub.close()
            server.should_exit = True
            await served
            hub.cancel()
