"""Prepare the next work of an object, with the files that it needs from git."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.cluster.control import Control
from countersign.local.cluster.controllers import kustomize, planning, sources
from countersign.local.cluster.controllers.attempt import Pace
from countersign.local.cluster.controllers.building import Build, build
from countersign.local.cluster.objects import Json, Key, Phase, is_true
from countersign.local.cluster.repositories import Repositories
from countersign.local.refusals import LocalRefusal
from countersign.telemetry.logs import get_logger

GIT_TIMEOUT_S: Final = 30.0
_T = TypeVar("_T")

log = get_logger()


class Problems:
    """Says each problem once, not at each round."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def say(self, topic: str, problem: str) -> None:
        """An empty problem means that there is none any more."""
        if problem and self._said.get(topic) != problem:
            log.warning("cluster.stuck", topic=topic, reason=problem)
        self._said[topic] = problem


class Preparer:
    """Decides with what the control file said last."""

    def __init__(self, repositories: Repositories, *, pace: Pace, problems: Problems) -> None:
        self._repositories = repositories
        self._pace = pace
        self._problems = problems
        self.control = Control()

    async def plan(self, key: Key, manifest: Json, find: planning.Find) -> Iterator[Phase] | None:
        if key.kind == "GitRepository":
            return await self._git(manifest)
        if key.kind in {"HelmRepository", "OCIRepository"}:
            fresh = planning.is_new(manifest) or is_true(manifest.get("status", {}), "Reconciling")
            return planning.source_phases(manifest) if fresh else None
        if key.kind == "HelmRelease":
            return self._release(key, manifest, find)
        if key.kind == "Kustomization":
            return await self._kustomization(manifest, find)
        return None

    async def _git(self, manifest: Json) -> Iterator[Phase] | None:
        spec = manifest["spec"]
        if spec.get("suspend"):
            return sources.suspended(manifest) if planning.is_new(manifest) else None
        url, ref = str(spec.get("url") or ""), spec.get("ref") or {}
        try:
            found = await in_thread(lambda: self._repositories.resolve(url, ref))
        except (Rejected, Retryable) as error:
            return sources.git_failure(manifest, error.message)
        status = manifest.get("status", {})
        current = planning.artifact_revision(manifest) == found.revision
        if current and not planning.is_new(manifest) and is_true(status, "Ready"):
            return None
        return sources.git_phases(manifest, revision=found.revision, commit=found.commit)

    def _release(self, key: Key, manifest: Json, find: planning.Find) -> Iterator[Phase] | None:
        try:
            chart = planning.chart_of(manifest, find)
        except Rejected as error:
            self._problems.say(str(key), error.message)
            return None
        if chart is None:
            return None
        if not planning.release_needs_work(manifest, chart, self.control):
            return None
        return planning.release_phases(manifest, chart, self.control, self._pace)

    async def _kustomization(self, manifest: Json, find: planning.Find) -> Iterator[Phase] | None:
        source = find(planning.source_key(manifest))
        revision = planning.artifact_revision(source)
        if source is None or source["kind"] != "GitRepository" or not revision:
            message = planning.waiting_message(manifest, find)
            said = planning.says_already(manifest, message)
            return None if said else iter([kustomize.source_not_ready(message)])
        if not planning.application_needs_work(manifest, revision, self.control):
            return None
        made = await self._build(manifest, source, revision)
        pace = self._pace
        return planning.application_phases(manifest, made, revision, self.control, pace)

    async def _build(self, manifest: Json, source: Json, revision: str) -> Build:
        url, commit = source["spec"]["url"], revision.rpartition(":")[2]
        try:
            files = await in_thread(lambda: self._repositories.files(url, commit))
        except (Rejected, Retryable) as error:
            return Build(problem=error.message, missing_path=True)
        return build(manifest["spec"], files)


async def in_thread(work: Callable[[], _T]) -> _T:
    """Run blocking work in a thread, for a bounded time.

    Raises:
        Retryable: `unreachable`; it takes too long.

    """
    try:
        async with asyncio.timeout(GIT_TIMEOUT_S):
            return await asyncio.to_thread(work)
    except TimeoutError as error:
        raise Retryable(
            LocalRefusal.UNREACHABLE, f"git did not answer in {GIT_TIMEOUT_S} s"
        ) from error
