"""An object as people wrote it: YAML without what controllers add."""

import zlib
from typing import Any, Final

import yaml

from countersign.kube.objects import Manifest, mapping

MANIFEST_BYTES_MAX: Final = 64 * 1024
_CUT: Final = "\n# cut here: the rest is longer than what is shown\n"
_ADDED_BY_CONTROLLERS: Final = frozenset({"managedFields", "resourceVersion", "selfLink"})


def as_written(manifest: Manifest) -> str:
    """The object as YAML, without status and managed fields, at most 64 KiB."""
    kept: dict[str, Any] = {k: v for k, v in manifest.items() if k != "status"}
    metadata = mapping(manifest, "metadata")
    kept["metadata"] = {k: v for k, v in metadata.items() if k not in _ADDED_BY_CONTROLLERS}
    body: str = yaml.dump(kept, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    raw = body.encode()
    if len(raw) <= MANIFEST_BYTES_MAX:
        return body
    return raw[: MANIFEST_BYTES_MAX - len(_CUT)].decode(errors="ignore") + _CUT


def generation_of(manifest: Manifest) -> int:
    """A number that changes with the spec, for objects that no API server has counted."""
    body = yaml.dump(mapping(manifest, "spec"), Dumper=yaml.CSafeDumper, sort_keys=True)
    return (zlib.crc32(body.encode()) & 0x7FFFFFFF) or 1
