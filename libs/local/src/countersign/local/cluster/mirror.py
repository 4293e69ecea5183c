"""Brings what is played in the directory into a real API server, as Flux would.

Spec by server-side apply, status through its subresource; what Countersign writes is left alone.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

import yaml

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import APPLY, ClusterApi
from countersign.kube.access.http_api import KubeSettings, cluster_api
from countersign.kube.refusals import ClusterRefusal
from countersign.telemetry.logs import get_logger

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

log = get_logger()


class Mirror:
    """One way, until cancelled; goes on where the API server was away."""

    def __init__(self, directory: Path, kube: KubeSettings) -> None:
        self._directory = directory
        self._kube = kube
        self._seen: dict[Path, tuple[int, int]] = {}
        self._refused: set[Path] = set()
        self._namespaces: set[str] = set()

    async def run(self) -> None:
        async with cluster_api(self._kube) as api:
            while True:
                for path in sorted(self._directory.glob("*.yaml")):
                    await self._bring(api, path)
                await asyncio.sleep(LOOK_S)

    async def _bring(self, api: ClusterApi, path: Path) -> None:
        signature, manifest = _read(path, known=self._seen.get(path))
        if manifest is not None:
            try:
                await self._apply(api, manifest)
            except Retryable:
                return
            except Rejected as refusal:
                # A kind or a right may come later: said once, and tried again.
                if path not in self._refused:
                    self._refused.add(path)
                    log.warning("object.refused", file=path.name, reason=refusal.reason)
                return
            self._seen[path] = signature

    async def _apply(self, api: ClusterApi, manifest: Json) -> None:
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
            await _put_status(api, path, manifest, applied=dict(applied))

    async def _make_namespace(self, api: ClusterApi, name: str) -> None:
        if name in self._namespaces:
            return
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            await api.call("POST", "/api/v1/namespaces", body=body)
        except Rejected as refusal:
            if refusal.reason != ClusterRefusal.CONFLICT:
                raise
        self._namespaces.add(name)


async def _put_status(api: ClusterApi, path: str, manifest: Json, *, applied: Json) -> None:
    behind = applied["metadata"]["generation"] - manifest["metadata"].get("generation", 1)
    body = {**applied, "status": _shifted(manifest["status"], behind)}
    try:
        await api.call("PUT", f"{path}/status", body=body)
    except Rejected as refusal:
        if refusal.reason != ClusterRefusal.CONFLICT:
            raise
        raise Retryable(ClusterRefusal.CONFLICT, refusal.message) from refusal


def _read(path: Path, *, known: tuple[int, int] | None) -> tuple[tuple[int, int], Json | None]:
    """Nothing where it is as it was, or of a kind that nobody asks for."""
    stat = path.stat()
    signature = (stat.st_mtime_ns, stat.st_ino)
    if signature == known:
        return signature, None
    manifest: Json = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    return signature, manifest if manifest.get("kind") in PLURALS else None


def _shifted(status: Any, behind: int) -> Any:
    """Return it with the API server's generations, which saw fewer changes than the file."""
    if isinstance(status, dict):
        return {
            k: v + behind if k == "observedGeneration" and v > 0 else _shifted(v, behind)
            for k, v in status.items()
        }
    return [_shifted(v, behind) for v in status] if isinstance(status, list) else status
