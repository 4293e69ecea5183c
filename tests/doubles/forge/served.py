"""A double of a forge on a port of this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from doubles.forge.asgi import ForgeApi
from doubles.local_forge import free_socket

from countersign.local.forge.serving import Server


@asynccontextmanager
async def served(api: ForgeApi) -> AsyncIterator[str]:
    """Serve it; the origin."""
    listener = free_socket()
    server = Server(api, signals=False)  # type: ignore[arg-type]
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    await server.serving.wait()
    try:
        yield f"http://localhost:{listener.getsockname()[1]}"
    finally:
        server.stop()
        await running
        listener.close()
