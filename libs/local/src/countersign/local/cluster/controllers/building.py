"""Manifests out of the files of a commit: the gitops repository's and an application's. Pure."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from countersign.contracts.errors import Rejected
from countersign.local.cluster.objects import GROUP_BY_KIND, Json, Key, digest_of, key_of
from countersign.local.refusals import LocalRefusal

OBJECTS_MAX: Final = 2000  # far more than a demonstration has; a runaway repository ends here
_SUFFIXES = (".yaml", ".yml")
# Fields of a Kustomization that change what is built.
_BUILD_FIELDS = (
    "commonMetadata",
    "components",
    "images",
    "namePrefix",
    "nameSuffix",
    "patches",
    "postBuild",
    "targetNamespace",
)


@dataclass(frozen=True)
class Build:
    """The objects that a Kustomization applies; `problem` says why there are none."""

    digest: str = ""
    inventory: tuple[tuple[tuple[str, str], ...], ...] = ()
    workload: str = "Deployment/unknown"
    problem: str = ""
    missing_path: bool = False


def desired(files: Mapping[str, bytes]) -> dict[Key, Json]:
    """All objects of the kinds we play; others are left out.

    Raises:
        Rejected: `bad_manifest`; nothing of that commit is to be applied, as Flux would not.

    """
    found: dict[Key, Json] = {}
    for path in sorted(files):
        for manifest in _documents(path, files[path]):
            if not _is_played(manifest):
                continue
            key = key_of(manifest)
            if key in found:
                raise Rejected(LocalRefusal.BAD_MANIFEST, f"{path}: {_title(key)} is defined twice")
            if len(found) >= OBJECTS_MAX:
                raise Rejected(
                    LocalRefusal.BAD_MANIFEST, f"{path}: more than {OBJECTS_MAX} objects"
                )
            namespaced = {**manifest["metadata"], "namespace": key.namespace}
            found[key] = {**manifest, "metadata": namespaced}
    return found


def build(spec: Json, files: Mapping[str, bytes]) -> Build:
    """Build the files below `spec.path`.

    `files` are those of the whole commit.
    """
    folder = posixpath.normpath(spec.get("path") or ".").strip("/")
    prefix = "" if folder == "." else f"{folder}/"
    inside = {p.removeprefix(prefix): b for p, b in files.items() if p.startswith(prefix)}
    if not inside:
        problem = f"kustomization path not found: stat {folder}: no such file or directory"
        return Build(problem=problem, missing_path=True)
    try:
        names = _resources(inside)
        manifests = [m for n in names for m in _documents(n, inside[n]) if m.get("kind")]
    except Rejected as error:
        return Build(problem=f"kustomize build failed: {error.message}")
    settings = {k: spec[k] for k in _BUILD_FIELDS if k in spec}
    namespace = spec.get("targetNamespace", "default")
    return Build(
        digest=digest_of([settings, manifests]),
        inventory=tuple(_inventory(manifests, namespace)),
        workload=_workload(manifests, namespace),
    )


def _resources(files: Mapping[str, bytes]) -> list[str]:
    """The files that `kustomization.yaml` lists, or without one all manifests, as Flux does."""
    listing = files.get("kustomization.yaml")
    if listing is None:
        return sorted(p for p in files if p.endswith(_SUFFIXES))
    content = next(_documents("kustomization.yaml", listing), {})
    names = [posixpath.normpath(str(n)) for n in content.get("resources") or ()]
    missing = next((n for n in names if n not in files), None)
    if missing is not None:
        raise Rejected(
            LocalRefusal.BAD_MANIFEST,
            f"accumulating resources from {missing!r}: no such file or directory",
        )
    return names


def _documents(path: str, content: bytes) -> Iterator[Json]:
    if not path.endswith(_SUFFIXES):
        return
    try:
        for document in yaml.load_all(content, Loader=yaml.CSafeLoader):
            if isinstance(document, dict):
                yield document
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise Rejected(LocalRefusal.BAD_MANIFEST, f"{path}: not YAML: {error}") from error


def _is_played(manifest: Json) -> bool:
    group = str(manifest.get("apiVersion", "")).partition("/")[0]
    if GROUP_BY_KIND.get(str(manifest.get("kind"))) != group:
        return False
    metadata = manifest.get("metadata")
    named = isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
    return named and isinstance(manifest.get("spec"), dict)


def _inventory(manifests: list[Json], namespace: str) -> Iterator[tuple[tuple[str, str], ...]]:
    for manifest in manifests:
        group, _, version = str(manifest.get("apiVersion", "v1")).rpartition("/")
        name = (manifest.get("metadata") or {}).get("name", "")
        yield (("id", f"{namespace}_{name}_{group}_{manifest['kind']}"), ("v", version))


def _workload(manifests: list[Json], namespace: str) -> str:
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "StatefulSet", "DaemonSet"}:
            return f"{manifest['kind']}/{namespace}/{manifest['metadata']['name']}"
    return f"Deployment/{namespace}/unknown"


def _title(key: Key) -> str:
    return f"{key.kind} {key.namespace}/{key.name}"
