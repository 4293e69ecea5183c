"""Stands between the watcher and a real API server, and lets things go wrong."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from apiserver import ApiServer

from countersign.kube.access.http_api import KubeSettings

UNTIL_S = 20.0
NEEDED = ("pipelines", "helmreleases")
STATUS = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}


@dataclass
class Fault:
    """What is answered instead, so often, to requests that `applies` to."""

    applies: Callable[[web.Request], bool]
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    # Before the real answer, which is then given.
    delay_s: float = 0.0
    body: bytes = b""

    def takes(self, request: web.Request) -> bool:
        if self.times <= 0 or not self.applies(request):
            return False
        self.times -= 1
        return True


@dataclass
class KubeProxy:
    server: ApiServer
    account_dir: Path
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    # By `list`, `watch` or `get`, and by that with the path.
    asked: Counter[str] = field(default_factory=Counter)
    # Nothing passes while this is not set.
    passing: asyncio.Event = field(default_factory=asyncio.Event)
    _watches: dict[asyncio.Task[None], str] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def settings(self) -> KubeSettings:
        # Unchecked: in earnest there is no way without TLS.
        return KubeSettings.model_construct(url=self.url, account_dir=self.account_dir)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Looks when something was asked."""
        async with asyncio.timeout(UNTIL_S):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def cut(self) -> None:
        """Every watch, in the middle of what it says; waits until there are those of `NEEDED`."""
        await self.until(
            lambda: all(any(name in path for path in self._watches.values()) for name in NEEDED)
        )
        for task in self._watches:
            task.cancel()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        kind = _kind(request)
        self.asked[kind or "get"] += 1
        self.asked[f"{kind or 'get'} {request.path}"] += 1
        self._changed.set()
        if not self.passing.is_set():
            raise web.HTTPServiceUnavailable
        fault = next((fault for fault in self.faults if fault.takes(request)), None)
        if fault and fault.body:
            return web.Response(body=fault.body)
        if fault and not fault.delay_s:
            body = json.dumps({**STATUS, "code": fault.status, "message": "made up"})
            return web.Response(status=fault.status, headers=fault.headers, text=body)
        if fault:
            await asyncio.sleep(fault.delay_s)
        return await self._forward(request)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        tls = ssl.create_default_context(cafile=str(self.server.ca))
        headers = {"Authorization": request.headers["Authorization"]}
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
            session.request(
                request.method,
                self.server.url + request.path_qs,
                headers=headers,
                data=await request.read(),
            ) as answer,
        ):
            response = web.StreamResponse(
                status=answer.status, headers={"Content-Type": "application/json"}
            )
            await response.prepare(request)
            if "watch" not in request.query:
                await response.write(await answer.read())
                return response
            task = asyncio.create_task(_pass_on(answer, response))
            self._watches[task] = request.path
            self._changed.set()
            try:
                await asyncio.wait([task])
            finally:
                self._watches.pop(task, None)
                task.cancel()
            if request.transport is not None:
                request.transport.abort()
            return response


async def _pass_on(answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    async for chunk in answer.content.iter_any():
        await response.write(chunk)


@asynccontextmanager
async def kube_proxy(server: ApiServer, *, token: str | None = None) -> AsyncIterator[KubeProxy]:
    account = server.account(token) if token else server.account()
    proxy = KubeProxy(server=server, account_dir=account)
    proxy.passing.set()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    proxy.url = f"http://{host}:{port}"
    try:
        yield proxy
    finally:
        for task in proxy._watches:
            task.cancel()
        await runner.cleanup()


def _kind(request: web.Request) -> str:
    """One object of many is asked for to learn whether, and what version there is."""
    if "watch" in request.query:
        return "watch"
    return {"": "", "1": "look"}.get(request.query.get("limit", ""), "list")
