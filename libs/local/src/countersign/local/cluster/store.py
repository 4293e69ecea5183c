"""The directory as the API server's storage: one file for each object, replaced as a whole."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import yaml

from countersign.local.cluster.objects import NEVER_OBSERVED, Json, Key, key_of, stamp

FILE_BYTES_MAX: Final = 2 * 1024 * 1024  # an API server takes objects of 1.5 MiB
# Flux marks what it applied the same way; only that is ever deleted.
OWNER_LABELS: Final = {
    "kustomize.toolkit.fluxcd.io/name": "flux-system",
    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
}
FINALIZERS: Final = ("finalizers.fluxcd.io",)


class Store:
    """Reads through a cache by time and size of the files, so others may write too."""

    def __init__(
        self, directory: Path, *, now: Callable[[], datetime], new_uid: Callable[[], UUID]
    ) -> None:
        self._directory = directory
        self._now = now
        self._new_uid = new_uid
        self._cache: dict[Path, tuple[tuple[int, int], Json]] = {}
        self._version = 0

    def all(self) -> dict[Key, Json]:
        """Every object in the directory; a file that cannot be read as one is left out."""
        found: dict[Key, Json] = {}
        for path in sorted(self._directory.glob("*.yaml")):
            manifest = self._read(path)
            if manifest is not None:
                found[key_of(manifest)] = manifest
        return found

    def get(self, key: Key) -> Json | None:
        return self._read(self._path(key))

    def apply(self, manifest: Json) -> bool:
        """Create or update it as `kubectl apply` would; returns whether anything changed."""
        key = key_of(manifest)
        before = self.get(key)
        labels = {**(manifest["metadata"].get("labels") or {}), **OWNER_LABELS}
        metadata: Json = {k: v for k, v in manifest["metadata"].items() if v is not None}
        metadata["labels"] = labels
        wanted = {**manifest, "metadata": metadata}
        wanted.pop("status", None)
        if before is None:
            self._create(wanted)
            return True
        return self._update(before, wanted)

    def put(self, manifest: Json) -> None:
        """Write it as it is, under a new resource version."""
        self._version = max(self._version, self._highest()) + 1
        metadata = {**manifest["metadata"], "resourceVersion": str(self._version)}
        whole = {**manifest, "metadata": metadata}
        path = self._path(key_of(whole))
        fresh = path.with_name(f".{path.name}.tmp")
        fresh.write_text(yaml.dump(whole, Dumper=yaml.CSafeDumper, sort_keys=True))
        fresh.replace(path)
        self._cache[path] = (_mark(path.stat()), whole)

    def delete(self, key: Key) -> None:
        path = self._path(key)
        with suppress(FileNotFoundError):
            path.unlink()
        self._cache.pop(path, None)

    def applied(self) -> Iterator[Key]:
        """List the objects that came out of git, now or before a restart."""
        for key, manifest in self.all().items():
            labels = manifest["metadata"].get("labels") or {}
            if OWNER_LABELS.items() <= labels.items():
                yield key

    def _create(self, wanted: Json) -> None:
        created = {
            "creationTimestamp": stamp(self._now()),
            "generation": 1,
            "uid": str(self._new_uid()),
        }
        whole = {**wanted, "metadata": {**wanted["metadata"], **created}}
        if wanted["kind"] != "Pipeline":
            whole["status"] = {"observedGeneration": NEVER_OBSERVED}
        self.put(whole)

    def _update(self, before: Json, wanted: Json) -> bool:
        old = before["metadata"]
        changed = before.get("spec") != wanted.get("spec")
        kept = ("creationTimestamp", "finalizers", "uid", "resourceVersion")
        metadata = wanted["metadata"] | {k: old[k] for k in kept if k in old}
        metadata["generation"] = old.get("generation", 0) + (1 if changed else 0)
        metadata.setdefault("uid", str(self._new_uid()))
        metadata.setdefault("creationTimestamp", stamp(self._now()))
        whole = {**wanted, "metadata": metadata}
        if "status" in before:
            whole["status"] = before["status"]
        if whole == before:
            return False
        self.put(whole)
        return True

    def _path(self, key: Key) -> Path:
        return self._directory / f"{key.namespace}.{key.kind}.{key.name}.yaml"

    def _read(self, path: Path) -> Json | None:
        try:
            mark = _mark(path.stat())
            known = self._cache.get(path)
            if known is not None and known[0] == mark:
                return known[1]
            if mark[1] > FILE_BYTES_MAX:
                return None
            manifest = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        except (FileNotFoundError, yaml.YAMLError):
            self._cache.pop(path, None)
            return None
        if not isinstance(manifest, dict) or "kind" not in manifest or "metadata" not in manifest:
            return None
        self._cache[path] = (mark, manifest)
        return manifest

    def _highest(self) -> int:
        if self._version:
            return self._version
        versions = (m["metadata"].get("resourceVersion", "0") for m in self.all().values())
        return max((int(v) for v in versions if str(v).isdigit()), default=0)


def _mark(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_mtime_ns, stat.st_size
