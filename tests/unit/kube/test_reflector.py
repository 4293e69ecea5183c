"""What an API server that is not itself, or not to be trusted, makes us believe: nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.flux.rules import Record, read_object
from countersign.kube.refusals import ClusterRefusal
from countersign.kube.watches import reflector
from countersign.kube.watches.discovery import Resource
from countersign.kube.watches.pauses import Pauses
from countersign.kube.watches.reflections import Handling, Standing, Update
from countersign.kube.watches.reflector import Reflector
from countersign.process.clocks import Clocks

RELEASES = Resource(
    group="helm.toolkit.fluxcd.io", version="v2", kind="HelmRelease", plural="helmreleases"
)
Step = dict[str, Any] | Rejected | Retryable


class Ended(Exception):
    """The script is at its end."""


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "dev", "resourceVersion": "1"}, **more}


def page(*items: dict[str, Any], further: str = "", version: str = "1") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version, "continue": further}, "items": list(items)}


class Server:
    """Answers lists by a script; a watch is refused, or stays open for `watch_s`."""

    def __init__(self, *lists: Step, watch: Rejected | None = None, watch_s: float = 1e3) -> None:
        self.lists = list(lists)
        self.watch = watch
        self.now = 0.0
        self.slept: list[float] = []
        self._watch_s = watch_s

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        del path, query
        if not self.lists:
            raise Ended
        answer = self.lists.pop(0)
        if isinstance(answer, Rejected | Retryable):
            raise answer
        return json.dumps(answer).encode()

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        del path, query, silence_s
        if self.watch is not None:
            raise self.watch
        yield self._watched()

    async def _watched(self) -> AsyncIterator[bytes]:
        self.now += self._watch_s
        raise Rejected(ClusterRefusal.GONE, "too old")
        yield b""

    async def sleep(self, wait_s: float) -> None:
        self.slept.append(wait_s)
        self.now += wait_s
        await asyncio.sleep(0)


class Bookmarking(Server):
    """Its first watch tells only how far it has come, and ends in time; the second is the last."""

    def __init__(self) -> None:
        super().__init__(page(item("podinfo")))
        self.asked: list[Mapping[str, str]] = []

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        del path, silence_s
        self.asked.append(query)
        if len(self.asked) > 1:
            raise Ended
        yield self._bookmark()

    async def _bookmark(self) -> AsyncIterator[bytes]:
        self.now += 300
        told = {"kind": "HelmRelease", "metadata": {"resourceVersion": "9"}}
        yield json.dumps({"type": "BOOKMARK", "object": told}).encode()


class Withdrawing(Server):
    """Its first watch ends in time; nobody may begin another."""

    def __init__(self) -> None:
        super().__init__(*[page(item("podinfo"))] * 30)

    async def _watched(self) -> AsyncIterator[bytes]:
        self.now += 300
        self.watch = Rejected(ClusterRefusal.FORBIDDEN, "no longer")
        return
        yield b""


class Breaking(Server):
    """Its first watch breaks off after `watch_s`; the second is the last."""

    def __init__(self, *lists: Step, watch_s: float) -> None:
        super().__init__(*lists, watch_s=watch_s)
        self.limits: list[str] = []
        self.versions: list[str] = []

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        self.limits.append((query or {})["limit"])
        return await super().get(path, query)

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        del path, silence_s
        self.versions.append(query["resourceVersion"])
        yield self._watched()

    async def _watched(self) -> AsyncIterator[bytes]:
        if len(self.versions) > 1:
            raise Ended
        self.now += self._watch_s
        raise Retryable(ClusterRefusal.UNAVAILABLE, "broken off")
        yield b""


async def updates(server: Server) -> list[Update[Record]]:
    told: list[Update[Record]] = []

    async def deliver(update: Update[Record]) -> None:
        told.append(update)

    reflector = Reflector(
        server,
        RELEASES,
        handling=Handling(read=read_object, deliver=deliver),
        pauses=Pauses(
            clocks=Clocks(random=lambda: 0.5, monotonic=lambda: server.now, sleep=server.sleep)
        ),
    )
    try:
        await reflector.run()
    except Ended:
        return told
    raise AssertionError


async def test_object_of_another_kind_than_was_asked_for_is_left_out() -> None:
    pipeline = item(
        "stolen",
        apiVersion="pipelines.weave.works/v1alpha1",
        kind="Pipeline",
        spec={"appRef": {"apiVersion": "a/v1", "kind": "B", "name": "c"}},
    )

    told = await updates(Server(page(item("podinfo"), pipeline)))

    assert [key.kind for update in told for key in update.changed] == ["HelmRelease"]


async def test_list_without_end_is_given_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(reflector, "OBJECTS_MAX", 10)
    server = Server(*(page(item(f"a{n}"), item(f"b{n}"), further="on") for n in range(20)))

    told = await updates(server)

    assert [(update.standing, update.reason) for update in told] == [
        (Standing.UNREACHABLE, "too_large")
    ]
    assert server.slept


async def test_empty_pages_without_end_are_given_up() -> None:
    server = Server(*[page(further="on")] * 50)

    told = await updates(server)

    assert [(update.standing, update.reason) for update in told] == [
        (Standing.UNREACHABLE, "cluster_unavailable")
    ]
    assert server.slept


async def test_watch_goes_on_from_the_last_bookmark_and_lists_nothing() -> None:
    server = Bookmarking()

    told = await updates(server)

    assert [query["resourceVersion"] for query in server.asked] == ["1", "9"]
    assert {query["allowWatchBookmarks"] for query in server.asked} == {"true"}
    assert len(told) == 1


async def test_watch_that_breaks_off_is_taken_up_where_it_was() -> None:
    server = Breaking(page(version="7"), page(version="7"), watch_s=1)

    await updates(server)

    assert server.versions == ["7", "7"]
    assert server.limits == [str(reflector.PAGE_OBJECTS), "1"]


async def test_server_that_was_restored_from_a_backup_is_listed_again() -> None:
    now = item("podinfo", spec={"suspend": True})
    now["metadata"]["resourceVersion"] = "3"
    server = Breaking(
        page(item("podinfo"), item("gone"), version="7"),
        page(now, version="3"),
        page(now, version="3"),
        watch_s=1,
    )

    told = await updates(server)

    assert server.versions == ["7", "3"]
    assert [key.name for key in told[-1].changed] == ["podinfo"]
    assert [key.name for key in told[-1].removed] == ["gone"]


async def test_versions_may_be_longer_than_numbers_that_python_reads() -> None:
    late, early = "1" * 5001, "9" * 5000
    server = Breaking(page(version=late), page(version=early), page(version=early), watch_s=1)

    await updates(server)

    assert server.versions == [late, early]


@pytest.mark.parametrize("failures", [1, 10])
async def test_server_that_was_away_for_long_is_listed_again(failures: int) -> None:
    away: list[Step] = [Retryable(ClusterRefusal.UNAVAILABLE, "no answer")] * failures
    server = Breaking(page(version="7"), *away, page(version="9"), page(version="9"), watch_s=1)

    await updates(server)

    assert server.versions == ["7", "9" if failures > 1 else "7"]


async def test_watch_that_expires_at_once_is_not_asked_for_without_pause() -> None:
    server = Server(*[page()] * 6, watch=Rejected(ClusterRefusal.GONE, "too old"))

    await updates(server)

    assert len(server.slept) >= 5
    assert server.slept == sorted(server.slept)
    assert server.slept[-1] > server.slept[0]


async def test_watch_that_expires_after_long_is_listed_again_at_once() -> None:
    server = Server(*[page()] * 3)

    await updates(server)

    assert server.slept == []


async def test_refusals_of_a_server_that_starts_are_not_believed_at_once() -> None:
    for reason in (ClusterRefusal.FORBIDDEN, ClusterRefusal.NOT_FOUND):
        refused = Rejected(reason, "not yet")

        told = await updates(Server(page(item("podinfo")), refused, refused, page(item("podinfo"))))

        assert {update.standing for update in told} == {Standing.READ}, reason
        assert not any(update.removed for update in told), reason


async def test_refusals_that_last_are_believed() -> None:
    for reason, standing in (
        (ClusterRefusal.FORBIDDEN, Standing.FORBIDDEN),
        (ClusterRefusal.NOT_FOUND, Standing.ABSENT),
    ):
        refused = Rejected(reason, "never again")

        told = await updates(Server(page(item("podinfo")), *[refused] * 30))

        assert told[-1].standing is standing
        assert bool(told[-1].removed) is (reason == "not_found")


async def test_right_to_list_alone_is_told_and_asked_for_slowly() -> None:
    server = Server(
        *[page(item("podinfo"))] * 5, watch=Rejected(ClusterRefusal.FORBIDDEN, "no watch")
    )

    told = await updates(server)

    assert [(update.standing, dict(update.changed)) for update in told] == [
        (Standing.FORBIDDEN, {})
    ]
    assert min(server.slept) >= 8


async def test_right_to_watch_that_is_taken_away_is_missed_as_soon_as_others() -> None:
    told = await updates(Withdrawing())

    assert [update.standing for update in told] == [Standing.READ, Standing.FORBIDDEN]
