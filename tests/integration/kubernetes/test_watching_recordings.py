"""What the real Flux controllers wrote, written again to a real API server, step by step.

The conclusion after each step is the one that the same objects give when they are read from files.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from apiserver import ApiServer
from doubles.observed_cluster import Eyes, eyes, make_namespace, path_of, put, true_pipeline
from e2e.mirroring import loose_crd
from unit.watcher.test_recordings import BAD_VERSIONS, lines, recordings

from countersign.contracts.errors import Rejected
from countersign.kube.api import MERGE
from countersign.kube.applications import AppState
from countersign.kube.flux import read_object
from countersign.kube.http_api import HttpClusterApi, cluster_api
from countersign.kube.objects import ObjectKey, key_of
from countersign.watcher.interfaces import Changes
from countersign.watcher.world import World

APPLICATIONS = ("HelmRelease", "Kustomization")
SHOWN = (*APPLICATIONS, "GitRepository", "OCIRepository")
Json = dict[str, Any]


@pytest.fixture
async def api(flux: ApiServer) -> AsyncIterator[HttpClusterApi]:
    async with cluster_api(flux.settings()) as found:
        yield found


@pytest.fixture(scope="session")
def oci(flux: ApiServer) -> None:
    made = loose_crd("OCIRepository", "ocirepositories")
    flux.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    flux.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")


class Replayed:
    """The objects of one recording in the API server, and what files would tell of them."""

    def __init__(self, api: HttpClusterApi) -> None:
        self._api = api
        self._last: dict[ObjectKey, Json] = {}
        self.world = World()

    async def take(self, kind: str, manifest: Json) -> None:
        key = key_of(manifest)
        if kind == "DELETED":
            self.world.apply(Changes(removed=frozenset({key})))
            await self._delete(manifest)
            return
        self.world.apply(Changes(changed={key: read_object(manifest)}))
        before = self._last.get(key)
        self._last[key] = manifest
        ends = "deletionTimestamp" in manifest["metadata"]
        if ends and before and "deletionTimestamp" not in before["metadata"]:
            await self._api.call("DELETE", path_of(manifest))
        await put(self._api, manifest)

    async def _delete(self, manifest: Json) -> None:
        """Flux takes its finalizer away, and then it is gone."""
        path = path_of(manifest)
        try:
            free = {"metadata": {"finalizers": None}}
            await self._api.call("PATCH", path, body=free, content_type=MERGE)
            await self._api.call("DELETE", path)
        except Rejected as refusal:
            if refusal.reason != "not_found":
                raise

    def expected(self) -> dict[ObjectKey, AppState]:
        return dict(self.world.applications())


def shown(seen: Eyes, namespaces: set[str], bad: set[str]) -> dict[ObjectKey, AppState]:
    found = {k: s for k, s in seen.world.applications() if k.namespace in namespaces}
    for state in found.values():
        assert state.content is None or state.content.revision.version not in bad
    return found


def pipelines(objects: list[Json]) -> list[Json]:
    """One for each application, so that its kind is watched."""
    named = {(o["kind"], o["metadata"]["namespace"], o["metadata"]["name"]) for o in objects}
    made = []
    for kind, namespace, name in sorted(named):
        if kind in APPLICATIONS:
            made.append(true_pipeline(namespace, "dev", kind=kind, name=f"{kind.lower()}-{name}"))
            made[-1]["spec"]["appRef"]["name"] = name
    return made


@pytest.mark.parametrize("recording", recordings())
async def test_recording_gives_the_same_conclusions_through_the_api_server(
    flux: ApiServer, api: HttpClusterApi, oci: None, recording: str
) -> None:
    recorded = [
        (number, kind, manifest)
        for number, kind, manifest in lines(recording)
        if manifest["kind"] in SHOWN
    ]
    namespaces = {manifest["metadata"]["namespace"] for _, _, manifest in recorded}
    for name in namespaces:
        await make_namespace(api, name)
    for pipeline in pipelines([manifest for _, _, manifest in recorded]):
        await put(api, pipeline)
    scenario = recording.partition(".watch")[0]
    bad = BAD_VERSIONS.get(scenario, set())
    replayed = Replayed(api)

    async with eyes(flux.settings()) as seen:
        for number, kind, manifest in recorded:
            await replayed.take(kind, manifest)
            try:
                await seen.until(lambda: shown(seen, namespaces, bad) == replayed.expected())
            except TimeoutError:
                assert shown(seen, namespaces, bad) == replayed.expected(), f"{scenario}:{number}"
