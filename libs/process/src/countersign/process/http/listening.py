"""HTTP: an address that is listened on, a server for it, and whom it answers.

On a loopback address only requests that name a loopback host are answered, so that no web page
can reach them by a name that resolves here.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn

from countersign.contracts.errors import Rejected
from countersign.process.http.asgi import App, Receive, Scope, Send
from countersign.process.http.loopback import names_loopback
from countersign.process.http.slow_requests import PromptBodies, prompt_protocol
from countersign.process.refusals import ProcessRefusal

STOP_TIMEOUT_S: Final = 3
BACKLOG: Final = 128
# Nobody we serve sends more than a megabyte, and none of it from far away.
REQUEST_S: Final = 10.0
# Who makes no room for so long for what it is sent is cut off.
UNREAD_S: Final = 30
# Of its ticks, uvicorn takes every tenth for a second's end, and renews the Date header then.
_TICKS_PER_S: Final = 10
_REFUSAL: Final = b"not a loopback host\n"


def listen(host: str, port: int) -> socket.socket:
    """Listen; whoever comes before there is a server waits for it.

    Args:
        host: an address of this machine.
        port: its port; 0 lets the system choose.

    Raises:
        Rejected: `address`; the port is taken or the address is none of ours.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        cut_off_unread(listener, after_s=UNREAD_S)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = f"{host}:{port}"
        raise Rejected(
            ProcessRefusal.ADDRESS, f"cannot listen on {where}: {error.strerror}"
        ) from error
    return listener


def cut_off_unread(listener: socket.socket, *, after_s: float) -> None:
    """Have the kernel end connections, from now on, whose other end reads nothing for so long.

    One that is closed with something unsent would otherwise stay as long as the other end lives.
    Source: https://man7.org/linux/man-pages/man7/tcp.7.html (TCP_USER_TIMEOUT)
    """
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(after_s * 1000))


async def serve(
    app: App,
    listener: socket.socket,
    *,
    connections_max: int,
    request_s: float = REQUEST_S,
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Serve until cancelled; what is being answered then is answered, in time.

    Args:
        app: what is served.
        listener: from `listen`; it is closed at the end.
        connections_max: more than these are told to come back later.
        request_s: how long a request may take to come, its head and then its body, in seconds.
        on_stop: ends answers that would not end by themselves.

    """
    config = uvicorn.Config(
        PromptBodies(app, body_s=request_s),
        http=prompt_protocol(head_s=request_s),
        log_config=None,
        # Queries may hold what must not be logged: the code of a callback.
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=connections_max,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    server = _Server(config)
    with listener:
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            # A cancelled server would leave its connections open.
            await asyncio.shield(serving)
        finally:
            on_stop()
            server.stop()
            await asyncio.wait_for(serving, STOP_TIMEOUT_S + 1)


class LoopbackHosts:
    """Around an application on a loopback address: turns away who calls us by another name."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope.get("headers", ())).get(b"host", b"").decode("latin-1")
        if names_loopback(host) or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", str(len(_REFUSAL)).encode()),
        ]
        await send({"type": "http.response.start", "status": 421, "headers": headers})
        await send({"type": "http.response.body", "body": _REFUSAL})


class _Server(uvicorn.Server):
    """Leaves signals to `processes.run_until_signal`: they cancel everything, this too."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Uvicorn's own wakes ten times a second, which is most of what a service at rest does."""
        second = 0
        while not await self.on_tick(second * _TICKS_PER_S):
            second += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stopping.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
