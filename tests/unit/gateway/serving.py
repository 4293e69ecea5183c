"""A gateway on a real port, without a bus, for browsers and benchmarks."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unit.gateway.doubles import Scene

from countersign.gateway.bootstrap import CONNECTIONS_MAX
from countersign.process.http.listening import listen, serve


def scene_on_a_port() -> tuple[Scene, socket.socket]:
    listener = listen("127.0.0.1", 0)
    scene = Scene(public_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    return scene, listener


@asynccontextmanager
async def serving(scene: Scene, listener: socket.socket) -> AsyncIterator[str]:
    async with asyncio.TaskGroup() as tasks:
        hub = tasks.create_task(scene.hub.run())
        served = tasks.create_task(
            serve(scene.app, listener, connections_max=CONNECTIONS_MAX, on_stop=scene.hub.close)
        )
        try:
            yield scene.public_url
        finally:
            served.cancel()
            hub.cancel()
