"""A real cluster's objects, made short, and what the watcher's source makes of them."""

import asyncio
import copy
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from doubles.watched import NOW, pipeline_manifest, release

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import EnvironmentObserved, PipelineObserved
from countersign.kube.access.api import APPLY, ClusterApi
from countersign.kube.access.http_api import KubeSettings, cluster_api
from countersign.kube.objects import ObjectKey
from countersign.kube.watches.pauses import Pauses
from countersign.kube.watches.watching_api import watching_api
from countersign.watcher.decision.decisions import decide
from countersign.watcher.interfaces import Changes
from countersign.watcher.model import Situation
from countersign.watcher.observation.inventory import Inventory, pipeline_key
from countersign.watcher.reading.clusters import Clusters
from countersign.watcher.reading.remote import Ways

Json = dict[str, Any]
# The same as in earnest, only sooner.
FAST: Final = Pauses(first_s=0.05, longest_s=0.4, away_s=0.5, refused_s=0.2, reread_s=0.5)
UNTIL_S: Final = 15.0
PLURALS: Final = {
    "Pipeline": "pipelines",
    "HelmRelease": "helmreleases",
    "Kustomization": "kustomizations",
    "GitRepository": "gitrepositories",
    "OCIRepository": "ocirepositories",
    "GitopsCluster": "gitopsclusters",
}


def path_of(manifest: Json) -> str:
    metadata = manifest["metadata"]
    version = manifest["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = PLURALS.get(manifest["kind"], f"{manifest['kind'].lower()}s")
    return f"{root}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"


async def make_namespace(api: ClusterApi, name: str = "") -> str:
    name = name or f"t-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    try:
        await api.call("POST", "/api/v1/namespaces", body=body)
    except Rejected as refusal:
        if refusal.reason != "conflict":
            raise
    return name


async def put(api: ClusterApi, manifest: Json) -> Json:
    """As Flux does: what is wanted first, then how it is, in the API server's generations."""
    path = path_of(manifest)
    query = {"fieldManager": "flux", "force": "true"}
    body = wanted(manifest)
    applied = dict(await api.call("PATCH", path, query=query, body=body, content_type=APPLY))
    return await put_status(api, applied, manifest) if "status" in manifest else applied


def wanted(manifest: Json) -> Json:
    """The object as somebody asks for it."""
    kept = ("name", "namespace", "labels", "annotations", "finalizers")
    metadata = {k: v for k, v in manifest["metadata"].items() if k in kept}
    return {**{k: v for k, v in manifest.items() if k != "status"}, "metadata": metadata}


async def put_status(api: ClusterApi, applied: Json, manifest: Json) -> Json:
    behind = applied["metadata"]["generation"] - manifest["metadata"].get("generation", 1)
    body = {**applied, "status": shifted(manifest["status"], behind)}
    return dict(await api.call("PUT", f"{path_of(manifest)}/status", body=body))


def shifted(status: Any, behind: int) -> Any:
    """With generations as this API server counts them."""
    if isinstance(status, dict):
        return {
            k: v + behind if k == "observedGeneration" and v > 0 else shifted(v, behind)
            for k, v in status.items()
        }
    return [shifted(v, behind) for v in status] if isinstance(status, list) else status


def true_release(namespace: str, version: str, *, name: str = "podinfo", **more: Any) -> Json:
    """A HelmRelease that the true schema accepts."""
    manifest = copy.deepcopy(release("dev", version, **more))
    manifest["metadata"].update(name=name, namespace=namespace)
    chart = {
        "chart": name,
        "version": version,
        "sourceRef": {"kind": "HelmRepository", "name": "c"},
    }
    manifest["spec"] = {"interval": "1m", "chart": {"spec": chart}}
    at = "2026-11-23T08:00:00Z"
    filled = {"chartName": name, "configDigest": "sha256:1", "digest": "sha256:2", "name": name}
    filled |= {"firstDeployed": at, "lastDeployed": at, "namespace": namespace}
    for entry in manifest["status"]["history"]:
        entry.update({k: v for k, v in filled.items() if k not in entry})
    return manifest


def true_pipeline(namespace: str, *names: str, name: str = "checkout", **more: Any) -> Json:
    """Its environments are namespaces `<namespace>`, `<namespace>-2`, …, or `targets` by name."""
    targets: dict[str, list[Json]] = more.pop("targets", {})
    ask = {"secretRef": {"name": "token"}}
    manifest = copy.deepcopy(pipeline_manifest(*names, ask=ask, **more))
    manifest["metadata"] = {"name": name, "namespace": namespace}
    for entry in manifest["spec"]["environments"]:
        entry["targets"] = targets.get(entry["name"], [{"namespace": namespace}])
    return manifest


class Eyes:
    """Takes changes as the service does, and tells what it would publish of a Pipeline."""

    def __init__(self, cluster: Clusters) -> None:
        self.cluster = cluster
        self.world = Inventory()
        self.taken: list[Changes] = []
        # Called after each change, however short the state lasts that it made.
        self.then: Callable[[], object] = lambda: None
        self._changed = asyncio.Event()

    async def take(self, changes: Changes) -> None:
        self.world.apply(changes)
        self.taken.append(changes)
        self.then()
        self._changed.set()

    def pipeline(self, namespace: str, name: str = "checkout") -> PipelineObserved | None:
        pipeline = self.world.pipelines.get(pipeline_key(namespace, name))
        if pipeline is None:
            return None
        situation = Situation(
            pipeline=pipeline,
            apps=self.world.apps_of(pipeline),
            findings=self.world.findings_of(pipeline),
            complete=self.world.tells_absence,
            reads_clusters=self.world.knows_gaps,
            now=NOW,
        )
        events = decide(situation).events
        return next(event for event in events if isinstance(event, PipelineObserved))

    def environment(self, namespace: str, name: str = "dev") -> EnvironmentObserved | None:
        seen = self.pipeline(namespace)
        return next((e for e in seen.environments if e.name == name), None) if seen else None

    def condition(self, namespace: str, name: str = "dev") -> str:
        found = self.environment(namespace, name)
        return found.condition.name if found else "ABSENT"

    def revision(self, namespace: str, name: str = "dev") -> str:
        found = self.environment(namespace, name)
        return found.content.revision.recorded if found and found.content else ""

    def findings(self, namespace: str) -> dict[str, str]:
        seen = self.pipeline(namespace)
        return {finding.code: finding.message for finding in seen.findings} if seen else {}

    def keys(self, namespace: str) -> set[ObjectKey]:
        return {key for key in self.world.known() if key.namespace == namespace}

    async def until_unready(self, why: str) -> None:
        """There is no change to wait for: that is the point."""
        async with asyncio.timeout(UNTIL_S):
            while why not in (self.cluster.not_ready() or ""):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(UNTIL_S):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def eyes(
    settings: KubeSettings, *, pauses: Pauses = FAST, **more: Any
) -> AsyncIterator[Eyes]:
    async with cluster_api(settings) as single, watching_api(settings) as long:
        ways = Ways(secrets=single)
        watched = Eyes(Clusters(long, ways=ways, pauses=pauses, **more))
        job = asyncio.create_task(watched.cluster.follow(watched.take))
        try:
            yield watched
        finally:
            job.cancel()
            await asyncio.wait([job])
            if not job.cancelled() and job.exception():
                raise RuntimeError("the source ended") from job.exception()
