"""The loop: reads the gitops repository, applies what it holds, plays what follows."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.cluster.control import read_control
from countersign.local.cluster.controllers import planning
from countersign.local.cluster.controllers.attempt import Pace
from countersign.local.cluster.controllers.building import desired
from countersign.local.cluster.controllers.preparation import Preparer, Problems, in_thread
from countersign.local.cluster.objects import (
    Condition,
    Json,
    Key,
    Moment,
    Phase,
    conditioned,
    is_true,
    stamp,
)
from countersign.local.cluster.repositories import Repositories
from countersign.local.cluster.store import FINALIZERS, Store
from countersign.telemetry.logs import get_logger

_MIRRORS: Final = ".mirrors"
# Generation and artifact that an attempt was made for.
_Cause: TypeAlias = tuple[int, str]

log = get_logger()


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """The repositories to play, and the pace.

    `git` is a bare repository's path or its URL; `paths` are the folders in it that are applied;
    `replacements` map a prefix of URLs to a folder with the same bare repositories.
    """

    directory: Path
    git: str
    branch: str = "main"
    paths: tuple[str, ...] = ()
    interval_s: float = 1.0
    pace: Pace = field(default_factory=Pace)
    replacements: Mapping[str, str] = field(default_factory=dict)


class Cluster:
    """Plays until it is told to stop; all it knows is in the directory, so it can be killed."""

    def __init__(
        self,
        settings: ClusterSettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_uid: Callable[[], UUID] = uuid4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        settings.directory.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._now = now
        self._sleep = sleep
        self.store = Store(settings.directory, now=now, new_uid=new_uid)
        self._repositories = Repositories(
            settings.directory / _MIRRORS, replacements=settings.replacements
        )
        self._problems = Problems()
        self._preparer = Preparer(self._repositories, pace=settings.pace, problems=self._problems)
        self._applied_commit = ""
        self._busy: dict[Key, asyncio.Task[None]] = {}
        self._resting: dict[Key, tuple[_Cause, datetime]] = {}
        self._wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(stop.wait())
            while not stop.is_set():
                await self._round(group)
                waking = group.create_task(self._wake.wait())
                await asyncio.wait(
                    (stopping, waking),
                    timeout=self._settings.interval_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                waking.cancel()
            for task in self._busy.values():
                task.cancel()

    async def _round(self, group: asyncio.TaskGroup) -> None:
        self._wake.clear()
        self._read_control()
        await self._apply(group)
        for key in self.store.all():
            # Read again: planning the one before may have waited for git.
            manifest = self.store.get(key)
            if manifest is None or "deletionTimestamp" in manifest["metadata"]:
                continue
            if key in self._busy or not self._may_start(key, manifest):
                continue
            phases = await self._preparer.plan(key, manifest, self.store.get)
            if phases is not None:
                self._start(group, key, self._play(key, phases))

    def _start(self, group: asyncio.TaskGroup, key: Key, work: Coroutine[Any, Any, None]) -> None:
        task = group.create_task(work)
        self._busy[key] = task

        def done(_: asyncio.Task[None]) -> None:
            # A deletion may have taken the place of the work that it cut short.
            if self._busy.get(key) is task:
                self._busy.pop(key)
            self._wake.set()

        task.add_done_callback(done)

    def _read_control(self) -> None:
        try:
            control = read_control(self._settings.directory)
        except Rejected as error:
            self._problems.say("control", error.message)
            return
        self._problems.say("control", "")
        if control != self._preparer.control:
            self._preparer.control = control
            self._resting.clear()

    async def _apply(self, group: asyncio.TaskGroup) -> None:
        """Apply the head of the branch; a broken commit changes nothing."""
        git, branch = self._settings.git, self._settings.branch
        try:
            head = await in_thread(lambda: self._repositories.resolve(git, {"branch": branch}))
            if head.commit == self._applied_commit:
                return
            files = await in_thread(lambda: self._repositories.files(git, head.commit))
            wanted = desired(self._inside(files))
        except (Rejected, Retryable) as error:
            self._problems.say("gitops", error.message)
            return
        self._problems.say("gitops", "")
        changed = [key for key, manifest in wanted.items() if self.store.apply(manifest)]
        for key in [k for k in self.store.applied() if k not in wanted]:
            self._delete(group, key)
        self._applied_commit = head.commit
        log.info("commit.applied", commit=head.commit, objects=len(wanted), changed=len(changed))

    def _inside(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        folders = tuple(f"{p.strip('/')}/" for p in self._settings.paths)
        return {p: b for p, b in files.items() if not folders or p.startswith(folders)}

    def _may_start(self, key: Key, manifest: Json) -> bool:
        """Tell if the pause after a failure is over, or its cause has changed."""
        resting = self._resting.get(key)
        return resting is None or resting[0] != self._cause(manifest) or self._now() >= resting[1]

    def _cause(self, manifest: Json) -> _Cause:
        source = self.store.get(planning.source_key(manifest))
        return manifest["metadata"]["generation"], planning.artifact_revision(source)

    async def _play(self, key: Key, phases: Iterator[Phase]) -> None:
        cause: _Cause | None = None
        for phase in phases:
            if phase.pause_s:
                await self._sleep(phase.pause_s)
            current = self.store.get(key)
            if current is None or current["metadata"].get("deletionTimestamp"):
                return
            cause = cause or self._cause(current)
            self._write(current, phase)
        if cause is not None:
            self._rest(key, cause)

    def _write(self, current: Json, phase: Phase) -> None:
        metadata = current["metadata"]
        if "finalizers" not in metadata:
            current = {**current, "metadata": {**metadata, "finalizers": list(FINALIZERS)}}
            self.store.put(current)
        before = current.get("status", {})
        after = phase.change(before, Moment(metadata["generation"], self._now()))
        if after != before:
            self.store.put({**current, "status": after})

    def _rest(self, key: Key, cause: _Cause) -> None:
        """After a failure nothing is tried again for a while, unless the object changes."""
        status = (self.store.get(key) or {}).get("status", {})
        self._resting.pop(key, None)
        if not is_true(status, "Ready"):
            pause_s = self._settings.pace.retry_s
            self._resting[key] = (cause, self._now() + timedelta(seconds=pause_s))

    def _delete(self, group: asyncio.TaskGroup, key: Key) -> None:
        manifest = self.store.get(key)
        if manifest is None:
            return
        running = self._busy.get(key)
        if running is not None:
            running.cancel()
        if key.kind == "Pipeline":
            self.store.delete(key)
            return
        metadata = manifest["metadata"]
        marks = {"deletionTimestamp": stamp(self._now()), "generation": metadata["generation"] + 1}
        self.store.put({**manifest, "metadata": {**metadata, **marks}})
        self._start(group, key, self._finish(key))

    async def _finish(self, key: Key) -> None:
        await self._sleep(self._settings.pace.action_s)
        manifest = self.store.get(key)
        if manifest is None or "deletionTimestamp" not in manifest["metadata"]:
            return
        if key.kind == "HelmRelease":
            gone = Condition("Ready", "False", "UninstallSucceeded", "Helm uninstall succeeded")
            moment = Moment(manifest["metadata"]["generation"], self._now())
            status = conditioned(manifest.get("status", {}), moment, gone)
            self.store.put({**manifest, "status": status})
        self.store.delete(key)
