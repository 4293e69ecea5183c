"""When a status is written, and when it is not, on a cluster of objects in memory."""

import asyncio
import contextlib
import copy
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from doubles.watched import NOW, Cluster, pipeline_manifest, release

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.objects import Manifest
from countersign.kube.pipelines.pipeline import Pipeline, as_stored, read_pipeline
from countersign.kube.refusals import ClusterRefusal
from countersign.process.clocks import Clocks
from countersign.watcher.model import Link, Situation
from countersign.watcher.status.content import status_of
from countersign.watcher.status.objects import Pace, StatusObjects
from countersign.watcher.status.patches import essence

FAST = Pace(soon_s=0.01, calm_s=0, review_s=0.05, review_max_s=0.4, retry_s=0.01, retry_max_s=0.05)
Json = dict[str, Any]


class Objects:
    """A `ClusterApi` with one Pipeline, whose status is what was last applied."""

    def __init__(self) -> None:
        self.manifest = pipeline_manifest("dev", "prod", manual=True)
        self.manifest["metadata"]["resourceVersion"] = "1"
        self.versions = itertools.count(2)
        self.writes: list[Json] = []
        self.calls: list[str] = []
        self.failures: list[Exception] = []
        self.written = asyncio.Event()
        # The clock for waiting, where a test moves it.
        self.stopped_at_s: float | None = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        del query, content_type
        self.calls.append(f"{method} {path.rpartition('/')[2]}")
        if self.failures:
            raise self.failures.pop(0)
        if method == "GET":
            return copy.deepcopy(self.manifest)
        assert body is not None
        if body["metadata"]["resourceVersion"] != self.manifest["metadata"]["resourceVersion"]:
            raise Rejected(ClusterRefusal.CONFLICT, path)
        self.set_status(json.loads(json.dumps(body["status"])))
        self.writes.append(self.manifest["status"])
        self.written.set()
        return copy.deepcopy(self.manifest)

    def read(self) -> Pipeline:
        return as_stored(read_pipeline(self.manifest), self.manifest)

    def set_status(self, status: Json) -> None:
        if status != self.manifest.get("status"):
            self.manifest["metadata"]["resourceVersion"] = str(next(self.versions))
        self.manifest["status"] = status

    def monotonic_s(self) -> float:
        return time.monotonic() if self.stopped_at_s is None else self.stopped_at_s

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not met():  # noqa: ASYNC110 - what is not done tells nobody
                await asyncio.sleep(0.005)


class Watcher:
    """Looks when it is told to."""

    def __init__(self, objects: Objects, *, pace: Pace = FAST) -> None:
        self.objects = objects
        self.ready = True
        self.cluster = Cluster(objects.manifest, release("dev", "6.9.0"), release("prod", "6.8.4"))
        self.store = StatusObjects(
            objects,
            clocks=Clocks(wall=lambda: NOW, monotonic=objects.monotonic_s),
            random=lambda: 0.0,
            not_ready=lambda: not self.ready,
            pace=pace,
        )

    def look(self) -> Situation:
        pipeline = self.objects.read()
        self.cluster.objects[pipeline.key] = pipeline
        self.cluster.links = dict(self.store.read(self.cluster.pipeline))
        self.cluster.step()
        self.store.write(self.cluster.pipeline, self.cluster.links)
        situation = self.cluster.situation()
        self.store.published(situation)
        return situation


@pytest.fixture
def objects() -> Objects:
    return Objects()


@asynccontextmanager
async def running(*watchers: Watcher) -> AsyncIterator[None]:
    jobs = [asyncio.create_task(watcher.store.run()) for watcher in watchers]
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job


async def test_status_is_written_once_and_not_again(objects: Objects) -> None:
    watcher = Watcher(objects)

    async with running(watcher):
        watcher.look()
        await objects.written.wait()
        for _ in range(3):
            watcher.look()
        await asyncio.sleep(0.2)

    assert objects.calls == ["PATCH status"]


async def test_status_waits_for_the_end_of_many_changes(objects: Objects) -> None:
    watcher = Watcher(objects, pace=replace(FAST, calm_s=0.5, late_max_s=60))

    async with running(watcher):
        for number in range(4):
            watcher.cluster.apply(release("dev", f"6.9.{number}"))
            watcher.look()
            await asyncio.sleep(0.05)
        assert objects.writes == []
        await objects.written.wait()


async def test_status_does_not_wait_for_ever_for_the_end_of_changes(objects: Objects) -> None:
    watcher = Watcher(objects, pace=replace(FAST, calm_s=60, late_max_s=0.2))

    async with running(watcher):
        watcher.look()
        await asyncio.sleep(0.1)
        assert objects.writes == []
        async with asyncio.timeout(5):
            await objects.written.wait()


async def test_two_watchers_that_see_the_same_write_once(objects: Objects) -> None:
    watchers = Watcher(objects), Watcher(objects)

    async with running(*watchers):
        for watcher in watchers:
            watcher.look()
        await objects.written.wait()
        for watcher in watchers:
            watcher.look()
        await asyncio.sleep(0.2)

    assert len(objects.writes) == 1


async def test_watcher_that_is_behind_corrects_another_ever_more_rarely(objects: Objects) -> None:
    ahead, behind = Watcher(objects), Watcher(objects)
    ahead.cluster.apply(release("dev", "6.9.1"))

    objects.stopped_at_s = 0.0
    for _ in range(100):
        ahead.look()
        behind.look()
        await ahead.store.step()
        await behind.store.step()
        objects.stopped_at_s += 0.01

    # With 50 ms each time it would be about twenty.
    assert 2 <= len(objects.writes) <= 10


async def test_conflict_is_resolved_by_reading_again(objects: Objects) -> None:
    watcher = Watcher(objects)
    situation = watcher.look()
    wanted = status_of(situation, links={})
    objects.manifest["metadata"]["annotations"] = {"touched": "meanwhile"}
    objects.manifest["metadata"]["resourceVersion"] = "77"

    async with running(watcher):
        await objects.written.wait()

    assert objects.calls == ["PATCH status", "GET checkout", "PATCH status"]
    assert essence(objects.writes[0]) == essence(wanted or {})


@pytest.mark.parametrize(
    "failure",
    [
        Rejected(ClusterRefusal.FORBIDDEN, "may not"),
        Rejected(ClusterRefusal.INVALID, "an older CRD"),
        Retryable(ClusterRefusal.UNAVAILABLE, "away"),
        Retryable(ClusterRefusal.UNAVAILABLE, "busy", after_s=0.01),
        Retryable(ClusterRefusal.UNAUTHORIZED, "the token changes"),
    ],
)
async def test_failure_is_told_once_and_tried_again(
    objects: Objects, failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    objects.failures = [failure, failure, failure]
    watcher = Watcher(objects)

    async with running(watcher):
        watcher.look()
        await objects.written.wait()

    assert capsys.readouterr().out.count("status.not_written") == 1


async def test_nothing_is_written_to_an_object_that_took_the_name(objects: Objects) -> None:
    watcher = Watcher(objects)
    watcher.look()
    objects.manifest["metadata"].update(uid="uid-2", resourceVersion="9")

    async with running(watcher):
        await objects.until(lambda: "GET checkout" in objects.calls)
        await asyncio.sleep(0.1)

    assert objects.writes == []


async def test_watcher_that_lost_the_bus_writes_nothing(objects: Objects) -> None:
    watcher = Watcher(objects)
    watcher.ready = False

    async with running(watcher):
        watcher.look()
        await asyncio.sleep(0.1)
        before = list(objects.calls)
        watcher.ready = True
        await objects.written.wait()

    assert before == []


async def test_chain_in_the_status_is_found_by_the_next_watcher(objects: Objects) -> None:
    link = Link(promotion_id="p1", previous_promotion_id="p0", completed=True, superseded=("x",))
    first = Watcher(objects)
    first.cluster.links = {"prod": link}
    situation = first.cluster.situation()
    first.cluster.step()
    first.store.write(situation.pipeline, {"prod": link})

    async with running(first):
        first.store.published(first.cluster.situation())
        await objects.written.wait()

    second = Watcher(objects)
    assert second.store.read(objects.read()) == {"prod": link}


async def test_chain_that_another_watcher_wrote_is_taken_over_unless_ours_is_newer(
    objects: Objects,
) -> None:
    theirs, ours = Link(promotion_id="theirs"), Link(promotion_id="ours")
    watcher = Watcher(objects)
    store, pipeline = watcher.store, objects.read()
    store.read(pipeline)
    chain = {"environments": {"prod": {"chain": {"promotionId": "theirs"}}}}

    objects.set_status(chain)
    assert store.read(objects.read()) == {"prod": theirs}
    store.write(pipeline, {"prod": ours})
    objects.set_status({**chain, "observedGeneration": 4})

    assert store.read(objects.read()) == {"prod": ours}


async def test_junk_in_the_status_is_left_out(
    objects: Objects, capsys: pytest.CaptureFixture[str]
) -> None:
    objects.manifest["status"] = {
        "conditions": "none",
        "environments": {"prod": {"chain": {"content": {"identity": ""}}}, "dev": [1]},
    }
    watcher = Watcher(objects)

    async with running(watcher):
        watcher.look()
        await objects.written.wait()

    assert "chain.unreadable" in capsys.readouterr().out
    assert objects.manifest["status"]["environments"]["prod"]["waitingApproval"]


def test_time_of_a_condition_alone_is_no_difference() -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    same = essence({"conditions": [ready]})

    assert same == essence(
        {"conditions": [{**ready, "lastTransitionTime": "2026-02-01T00:00:00Z"}]}
    )
    assert same != essence({"conditions": [{**ready, "status": "False"}]})


async def test_status_that_cannot_be_made_ends_no_writing(objects: Objects) -> None:
    watcher = Watcher(objects)
    watcher.look()
    objects.failures = [RuntimeError("an error of ours")]
    objects.stopped_at_s = 1e6

    await watcher.store.step()
    assert objects.writes == []
    objects.stopped_at_s += FAST.retry_max_s
    await watcher.store.step()

    assert len(objects.writes) == 1
