"""A kind that is read in another way from now on, and one that a server does not know yet."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from countersign.contracts.errors import Rejected
from countersign.kube.flux.rules import Record, read_object
from countersign.kube.objects import ObjectKey
from countersign.kube.refusals import ClusterRefusal
from countersign.kube.watches.pauses import Pauses
from countersign.kube.watches.reflections import Update
from countersign.watcher.reading.gitops_clusters import GitopsCluster
from countersign.watcher.reading.kind import KindReading, Reader

GROUP, KIND = "helm.toolkit.fluxcd.io", "HelmRelease"
ROOT = f"/apis/{GROUP}"
EVERYWHERE = f"{ROOT}/v2/helmreleases"
IN_DEV = f"{ROOT}/v2/namespaces/dev/helmreleases"


def listed(*names: str) -> dict[str, Any]:
    metadata = {"namespace": "dev", "resourceVersion": "1"}
    items = [{"metadata": {"name": name, **metadata}} for name in names]
    return {"metadata": {"resourceVersion": "1"}, "items": items}


class Server:
    def __init__(self) -> None:
        resource = {"name": "helmreleases", "kind": KIND, "namespaced": True}
        self.answers: dict[str, Any] = {
            ROOT: {"preferredVersion": {"version": "v2"}},
            f"{ROOT}/v2": {"resources": [resource]},
        }
        self.unknown = 0
        self.forbidden: set[str] = set()
        self.unwatched: set[str] = set()
        self.refused = asyncio.Event()
        self.cut = asyncio.Event()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        del query
        if path == ROOT and self.unknown:
            self.unknown -= 1
            raise Rejected(ClusterRefusal.NOT_FOUND, "not yet")
        if path in self.forbidden:
            raise Rejected(ClusterRefusal.FORBIDDEN, "no longer")
        return json.dumps(self.answers[path]).encode()

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        del query, silence_s
        if path in self.unwatched:
            self.refused.set()
            raise Rejected(ClusterRefusal.FORBIDDEN, "to watch")
        yield self._watched(path)

    async def _watched(self, path: str) -> AsyncIterator[bytes]:
        while path not in self.forbidden:
            self.cut.clear()
            await self.cut.wait()
        raise Rejected(ClusterRefusal.FORBIDDEN, "no longer")
        yield b""


class Told:
    def __init__(self, server: Server) -> None:
        self.known: set[ObjectKey] = set()
        self.codes: list[str] = []
        self.updates = 0
        self.heard = asyncio.Event()
        pauses = Pauses(first_s=0.01, longest_s=0.05, away_s=0.05, refused_s=0.05, reread_s=0.1)
        reader = Reader(cluster="", read=read_object, tell=self._tell, pauses=pauses)
        self.reading = KindReading(server, (GROUP, KIND), reader)
        self.reading.want(frozenset({"dev"}), everywhere=True)

    async def _tell(self, _cluster: str, update: Update[Record | GitopsCluster]) -> None:
        self.known = (self.known | set(update.changed)) - update.removed
        self.codes += [gap.code for gap in self.reading.gaps()]
        self.updates += 1
        self.heard.set()

    @property
    def names(self) -> set[str]:
        return {key.name for key in self.known}

    async def until(self, names: set[str]) -> None:
        async with asyncio.timeout(5):
            while self.names != names:
                self.heard.clear()
                await self.heard.wait()


@asynccontextmanager
async def told(server: Server) -> AsyncIterator[Told]:
    seen = Told(server)
    job = asyncio.create_task(seen.reading.run())
    try:
        yield seen
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


async def test_what_went_while_the_way_of_reading_changed_is_gone() -> None:
    server = Server()
    server.answers |= {EVERYWHERE: listed("stays", "goes"), IN_DEV: listed("stays")}

    async with told(server) as seen:
        await seen.until({"stays", "goes"})
        server.forbidden.add(EVERYWHERE)
        server.cut.set()

        await seen.until({"stays"})


async def test_all_namespaces_are_read_at_once_when_that_is_allowed_again() -> None:
    server = Server()
    server.answers |= {EVERYWHERE: listed("here", "elsewhere"), IN_DEV: listed("here")}
    server.forbidden.add(EVERYWHERE)

    async with told(server) as seen:
        await seen.until({"here"})
        server.forbidden.clear()

        await seen.until({"here", "elsewhere"})


async def test_right_to_list_all_namespaces_alone_loses_nothing_that_is_read() -> None:
    server = Server()
    server.answers |= {EVERYWHERE: listed("here", "elsewhere"), IN_DEV: listed("here")}
    server.unwatched.add(EVERYWHERE)

    async with told(server) as seen:
        await seen.until({"here"})
        before = seen.updates
        for _ in range(3):
            server.refused.clear()
            async with asyncio.timeout(5):
                await server.refused.wait()

        assert seen.names == {"here"}
        assert seen.updates == before


async def test_kind_that_a_starting_server_does_not_know_yet_is_not_called_absent() -> None:
    server = Server()
    server.answers[EVERYWHERE] = listed("stays")
    server.unknown = 2

    async with told(server) as seen:
        await seen.until({"stays"})

    assert "kind_not_installed" not in seen.codes
