"""Brings what the local cluster plays in its directory into a real API server, as Flux would.

Spec by server-side apply, status through its subresource; what Countersign writes is left alone.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

import reference
import yaml
from apiserver import ApiServer

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import APPLY
from countersign.kube.access.http_api import HttpClusterApi, cluster_api
from countersign.kube.refusals import ClusterRefusal

LOOK_S: Final = 0.1
_OURS: Final = "Pipeline"
# Of the source-controller, whose schemas decide nothing here.
SOURCES: Final = {
    "Bucket": "buckets",
    "GitRepository": "gitrepositories",
    "HelmRepository": "helmrepositories",
    "OCIRepository": "ocirepositories",
}
PLURALS: Final = {
    "HelmRelease": "helmreleases",
    "Kustomization": "kustomizations",
    _OURS: "pipelines",
    **SOURCES,
}
Json = dict[str, Any]


def install(server: ApiServer, *crds: Path) -> None:
    """The kinds of Flux, and what else is given."""
    theirs = reference.skip_without("crds")
    files = [theirs / f"{name}.yaml" for name in ("helmreleases", "kustomizations")]
    for file in (*files, *crds):
        server.kubectl("apply", "--server-side", "-f", str(file))
    made = [loose_crd(kind, plural) for kind, plural in SOURCES.items()]
    server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(made))
    server.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")


def loose_crd(kind: str, plural: str) -> Json:
    group = "source.toolkit.fluxcd.io"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


class Mirror:
    """One way, until cancelled; goes on where the API server was away."""

    def __init__(self, directory: Path, server: ApiServer) -> None:
        self._directory = directory
        self._server = server
        self._seen: dict[Path, tuple[int, int]] = {}
        self._namespaces: set[str] = set()

    async def run(self) -> None:
        async with cluster_api(self._server.settings()) as api:
            while True:
                for path in sorted(self._directory.glob("*.yaml")):
                    await self._bring(api, path)
                await asyncio.sleep(LOOK_S)

    async def _bring(self, api: HttpClusterApi, path: Path) -> None:
        signature, manifest = _read(path, known=self._seen.get(path))
        if manifest is not None:
            try:
                await self._apply(api, manifest)
            except Retryable:
                return
            self._seen[path] = signature

    async def _apply(self, api: HttpClusterApi, manifest: Json) -> None:
        metadata = manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        await self._make_namespace(api, namespace)
        place = f"/apis/{manifest['apiVersion']}/namespaces/{namespace}/{PLURALS[manifest['kind']]}"
        wanted = {
            "apiVersion": manifest["apiVersion"],
            "kind": manifest["kind"],
            "metadata": {k: metadata[k] for k in ("name", "namespace", "labels") if k in metadata},
            "spec": manifest["spec"],
        }
        query = {"fieldManager": "flux", "force": "true"}
        path = f"{place}/{name}"
        applied = await api.call("PATCH", path, query=query, body=wanted, content_type=APPLY)
        if manifest["kind"] != _OURS and "status" in manifest:
            await self._put_status(api, path, manifest, applied=dict(applied))

    async def _put_status(
        self, api: HttpClusterApi, path: str, manifest: Json, *, applied: Json
    ) -> None:
        behind = applied["metadata"]["generation"] - manifest["metadata"].get("generation", 1)
        body = {**applied, "status": _shifted(manifest["status"], behind)}
        try:
            await api.call("PUT", f"{path}/status", body=body)
        except Rejected as refusal:
            if refusal.reason != "conflict":
                raise
            raise Retryable(ClusterRefusal.CONFLICT, refusal.message) from refusal

    async def _make_namespace(self, api: HttpClusterApi, name: str) -> None:
        if name in self._namespaces:
            return
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            await api.call("POST", "/api/v1/namespaces", body=body)
        except Rejected as refusal:
            if refusal.reason != "conflict":
                raise
        self._namespaces.add(name)


def _read(path: Path, *, known: tuple[int, int] | None) -> tuple[tuple[int, int], Json | None]:
    """Nothing where it is as it was, or of a kind that nobody asks for."""
    stat = path.stat()
    signature = (stat.st_mtime_ns, stat.st_ino)
    if signature == known:
        return signature, None
    manifest: Json = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    return signature, manifest if manifest.get("kind") in PLURALS else None


def _shifted(status: Any, behind: int) -> Any:
    """With generations as the API server counts them, which saw fewer changes than the file."""
    if isinstance(status, dict):
        return {
            k: v + behind if k == "observedGeneration" and v > 0 else _shifted(v, behind)
            for k, v in status.items()
        }
    return [_shifted(v, behind) for v in status] if isinstance(status, list) else status
