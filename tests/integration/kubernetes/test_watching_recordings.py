"""What the real Flux controllers wrote, written again to a real API server, step by step.

After each step the watcher holds what the same objects say when they are read from files; what runs
healthily then, and what is promoted, is what the table beside `flux_recordings.py` says.
"""

import json
from typing import Any

import pytest
from apiserver import ApiServer
from doubles.flux_recordings import APPLICATIONS, Promoter, applications, lines, recordings
from doubles.observed_cluster import (
    Eyes,
    eyes,
    make_namespace,
    path_of,
    put,
    put_status,
    wanted,
)
from e2e.mirroring import loose_crd

from countersign.contracts.errors import Rejected
from countersign.kube.access.api import MERGE
from countersign.kube.access.http_api import HttpClusterApi
from countersign.kube.flux.applications import AppState
from countersign.kube.flux.rules import read_object
from countersign.kube.objects import ObjectKey, key_of
from countersign.watcher.interfaces import Changes
from countersign.watcher.observation.inventory import Inventory

SHOWN = (*APPLICATIONS, "GitRepository", "OCIRepository")
Json = dict[str, Any]


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
        self._applied: dict[ObjectKey, Json] = {}
        self._world = Inventory()

    async def take(self, kind: str, manifest: Json) -> None:
        key = key_of(manifest)
        if kind == "DELETED":
            self._world.apply(Changes(removed=frozenset({key})))
            self._last.pop(key)
            await self._delete(manifest)
            return
        self._world.apply(Changes(changed={key: read_object(manifest)}))
        before = self._last.get(key)
        self._last[key] = manifest
        if before and wanted(before) == wanted(manifest) and not _ends(manifest):
            self._applied[key] = await put_status(self._api, self._applied[key], manifest)
            return
        if _ends(manifest) and before and not _ends(before):
            await self._api.call("DELETE", path_of(manifest))
        self._applied[key] = await put(self._api, manifest)

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
        return dict(self._world.applications())


def _ends(manifest: Json) -> bool:
    return "deletionTimestamp" in manifest["metadata"]


def shown(seen: Eyes, namespaces: set[str]) -> dict[ObjectKey, AppState]:
    return {k: s for k, s in seen.world.applications() if k.namespace in namespaces}


@pytest.mark.parametrize("recording", recordings())
async def test_recording_promotes_through_the_api_server_what_ran_healthily_and_no_more(
    flux: ApiServer, api: HttpClusterApi, oci: None, recording: str
) -> None:
    recorded = [line for line in lines(recording) if line[2]["kind"] in SHOWN]
    namespaces = {manifest["metadata"]["namespace"] for _, _, manifest in recorded}
    for name in namespaces:
        await make_namespace(api, name)
    apps = applications(recording)
    for app in apps:
        await put(api, app.pipeline())
    replayed = Replayed(api)

    async with eyes(flux.settings()) as seen:
        promoter = Promoter(seen.world, apps)
        number = 0
        seen.then = lambda: promoter.look(number)
        for number, kind, manifest in recorded:
            await replayed.take(kind, manifest)
            try:
                await seen.until(lambda: shown(seen, namespaces) == replayed.expected())
            except TimeoutError:
                assert shown(seen, namespaces) == replayed.expected(), f"{recording}:{number}"
            for app in apps:
                assert app.runs_at(number, promoter.running(app)), f"{recording}:{number}"

    assert promoter.differences() == {}
