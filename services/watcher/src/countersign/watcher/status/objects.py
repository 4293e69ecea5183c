"""Keeps the `status` of Pipelines in the cluster, and in it the chain of promotions.

Any number of watchers may do so. What one of them sees anew it writes at once; where another says
something else than it has seen all along, it waits, longer each time, for one of both to be behind.
A status that cannot be written is tried again later, and hinders no promotion.
"""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import APPLY, ClusterApi
from countersign.kube.objects import Manifest, ObjectKey, is_earlier, mapping, text
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.kube.refusals import ClusterRefusal
from countersign.process.clocks import Clocks
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger
from countersign.watcher.metrics import STATUSES
from countersign.watcher.model import Links, Situation
from countersign.watcher.refusals import WatcherRefusal
from countersign.watcher.status.content import Fields, status_of
from countersign.watcher.status.patches import MANAGER, essence, links_in, patch_of, path_of

log = get_logger()

# Pipelines that were deleted are forgotten in the end; one that is forgotten is read again.
KEPT_MAX: Final = 20_000
BATCH_MAX: Final = 64
AT_ONCE_MAX: Final = 4
CONFLICTS_MAX: Final = 3
_DOUBLINGS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The pace of writing, stretched at random, so that watchers do not step in time."""

    # Steps of a promotion come close together, and two watchers see the same: one write is enough.
    soon_s: float = 0.2
    # Amid many changes, as at a first start, saying what is seen goes before, though not for ever.
    calm_s: float = 0.4
    late_max_s: float = 5.0
    # Where another says otherwise; doubled each time.
    review_s: float = 5.0
    review_max_s: float = 600.0
    retry_s: float = 2.0
    retry_max_s: float = 60.0


@dataclass(slots=True, kw_only=True)
class _Kept:
    """The status of one Pipeline: what there is, and what should be."""

    uid: str
    version: str = ""
    status: bytes = b"{}"
    links: Links = field(default_factory=dict)
    # Whether `links` are newer than what the cluster holds of them.
    ahead: bool = False
    wanted: bytes = b""
    reviews: int = 0
    failures: int = 0


class StatusObjects:
    """A `LinkStore`; `run` writes."""

    def __init__(
        self,
        api: ClusterApi,
        *,
        clocks: Clocks,
        random: Callable[[], float],
        not_ready: Callable[[], object],
        pace: Pace = Pace(),
    ) -> None:
        self._api = api
        self._clocks = clocks
        self._random = random
        # Who has lost the bus does not know better than others.
        self._not_ready = not_ready
        self._pace = pace
        self._kept: BoundedDict[ObjectKey, _Kept] = BoundedDict(
            KEPT_MAX, on_evicted=self._leave_out
        )
        self._due: dict[ObjectKey, float] = {}
        self._changed_at = 0.0
        self._wake = asyncio.Event()
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    def read(self, pipeline: Pipeline) -> Links:
        return self._seen(pipeline).links

    def write(self, pipeline: Pipeline, links: Links) -> None:
        """Remembered here at once, and in the cluster soon."""
        kept = self._seen(pipeline)
        if links != kept.links:
            kept.links, kept.ahead = links, True

    def published(self, situation: Situation) -> None:
        pipeline = situation.pipeline
        kept = self._seen(pipeline)
        status = status_of(situation, links=kept.links)
        if status is None:
            return
        wanted = json.dumps(status, sort_keys=True).encode()
        is_new, kept.wanted = wanted != kept.wanted, wanted
        if is_new:
            kept.reviews, self._changed_at = 0, self._clocks.monotonic()
        if essence(status) == essence(json.loads(kept.status)):
            kept.failures = 0
            self._due.pop(pipeline.key, None)
        elif is_new and situation.complete:
            self._put_off(pipeline.key, self._pace.soon_s * (0.5 + self._random()), sooner=True)
        else:
            wait_s = min(self._pace.review_max_s, self._pace.review_s * 2**kept.reviews)
            self._put_off(pipeline.key, wait_s * (1 + self._random()))

    async def run(self) -> None:
        """Write what is due until cancelled."""
        while True:
            self._wake.clear()
            if not await self.step():
                await self._sleep()

    async def step(self) -> bool:
        """Write what is due now; returns whether anything was."""
        now = self._clocks.monotonic()
        may_begin = self._begins_at() <= now
        due = [key for key, at in self._due.items() if may_begin and at <= now][:BATCH_MAX]
        async with asyncio.TaskGroup() as tasks:
            for key in due:
                del self._due[key]
                tasks.create_task(self._write(key))
        return bool(due)

    async def _sleep(self) -> None:
        wait_s = self._begins_at() - self._clocks.monotonic() if self._due else None
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _begins_at(self) -> float:
        first = min(self._due.values(), default=math.inf)
        calm_at = self._changed_at + self._pace.calm_s
        return max(first, min(calm_at, first + self._pace.late_max_s))

    def _put_off(self, key: ObjectKey, wait_s: float, *, sooner: bool = False) -> None:
        at = self._clocks.monotonic() + wait_s
        known = self._due.get(key)
        self._due[key] = at if known is None else min(known, at) if sooner else known
        self._wake.set()

    def _seen(self, pipeline: Pipeline) -> _Kept:
        """Return what is kept, with what was read since, if that is newer."""
        kept = self._kept.get(pipeline.key)
        if kept is None or kept.uid != pipeline.ref.uid:
            kept = self._kept[pipeline.key] = _Kept(uid=pipeline.ref.uid)
            self._take(kept, pipeline)
        elif kept.status is not pipeline.status and not is_earlier(
            pipeline.resource_version, than=kept.version
        ):
            self._take(kept, pipeline)
        self._kept.touch(pipeline.key)
        return kept

    def _leave_out(self, key: ObjectKey, _: _Kept) -> None:
        self._due.pop(key, None)

    def _take(self, kept: _Kept, pipeline: Pipeline) -> None:
        kept.version, kept.status = pipeline.resource_version, pipeline.status
        if not kept.ahead:
            # Another watcher may have heard what this one missed.
            kept.links = links_in(json.loads(kept.status), key=pipeline.key)

    async def _write(self, key: ObjectKey) -> None:
        kept = self._kept.get(key)
        if kept is None:
            return
        if self._not_ready():
            self._put_off(key, self._pace.retry_s)
            return
        with one_entry("write statuses", pipeline=str(key)) as entry:
            await self._write_one(key, kept)
        if entry.failed:
            self._put_off(key, self._pace.retry_max_s)

    async def _write_one(self, key: ObjectKey, kept: _Kept) -> None:
        try:
            async with self._turns:
                outcome = await self._apply(key, kept)
        except (Rejected, Retryable) as error:
            self._on_failure(key, kept, error)
            return
        STATUSES.labels(outcome=outcome).inc()
        kept.reviews = min(_DOUBLINGS_MAX, kept.reviews + 1)
        kept.failures = 0
        kept.ahead = kept.links != links_in(json.loads(kept.status), key=key)

    async def _apply(self, key: ObjectKey, kept: _Kept) -> str:
        """Apply the status that should be there; returns a word for what was done.

        Raises:
            Rejected: the API server does not take it; gone.
            Retryable: it does not answer, or others write all the time.

        """
        path, query = path_of(key), {"fieldManager": MANAGER, "force": "true"}
        for _ in range(CONFLICTS_MAX):
            wanted: Fields = json.loads(kept.wanted)
            current = mapping(json.loads(kept.status))
            if essence(wanted) == essence(current):
                return "same"
            body = patch_of(
                wanted, key=key, version=kept.version, current=current, now=self._clocks.wall()
            )
            try:
                answer = await self._api.call(
                    "PATCH", f"{path}/status", query=query, body=body, content_type=APPLY
                )
            except Rejected as refusal:
                if refusal.reason is not ClusterRefusal.CONFLICT:
                    raise
                answer = await self._api.call("GET", path)
                self._adopt(kept, answer)
                continue
            self._adopt(kept, answer)
            return "written"
        raise Retryable(WatcherRefusal.CONFLICT, f"{key}: others write its status all the time")

    def _adopt(self, kept: _Kept, answer: Manifest) -> None:
        if text(answer, "metadata", "uid") != kept.uid:
            raise Rejected(ClusterRefusal.NOT_FOUND, "another object has its name now")
        kept.version = text(answer, "metadata", "resourceVersion")
        kept.status = json.dumps(mapping(answer, "status"), sort_keys=True).encode()

    def _on_failure(self, key: ObjectKey, kept: _Kept, error: Rejected | Retryable) -> None:
        STATUSES.labels(outcome=error.reason).inc()
        if error.reason is ClusterRefusal.NOT_FOUND:
            # Gone, which the watch will tell; or the CRD is, and then all are.
            self._kept.pop(key, None)
            return
        if kept.failures == 0:
            log.warning(
                "status.not_written", pipeline=str(key), reason=error.reason, message=error.message
            )
        kept.failures = min(_DOUBLINGS_MAX, kept.failures + 1)
        longest_s = self._pace.retry_max_s
        wait_s = min(longest_s, self._pace.retry_s * 2 ** (kept.failures - 1))
        if isinstance(error, Rejected):
            wait_s = longest_s
        elif error.after_s:
            wait_s = max(wait_s, error.after_s)
        self._put_off(key, wait_s * (1 + self._random()))
