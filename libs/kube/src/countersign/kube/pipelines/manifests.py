"""An object as people wrote it: YAML without what controllers add."""

import zlib
from typing import Any, Final

import yaml

from countersign.kube.objects import Manifest, integer, mapping

GENERATION_MAX: Final = 2**31 - 1
MANIFEST_BYTES_MAX: Final = 64 * 1024
_CUT: Final = "\n# cut here: the rest is longer than what is shown\n"
_UNWRITTEN: Final = "# not shown: it is nested too deeply, or holds a number that is too long\n"
# An API server lets through what is nested thousands of times, and files may hold any number.
_NOT_TO_BE_WRITTEN: Final = (RecursionError, ValueError)
_ADDED_BY_CONTROLLERS: Final = frozenset({"managedFields", "resourceVersion", "selfLink"})


def as_written(manifest: Manifest) -> str:
    """The object as YAML, without status and managed fields, at most 64 KiB."""
    kept: dict[str, Any] = {k: v for k, v in manifest.items() if k != "status"}
    metadata = mapping(manifest, "metadata")
    kept["metadata"] = {k: v for k, v in metadata.items() if k not in _ADDED_BY_CONTROLLERS}
    try:
        body: str = yaml.dump(kept, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    except _NOT_TO_BE_WRITTEN:
        return _UNWRITTEN
    raw = body.encode()
    if len(raw) <= MANIFEST_BYTES_MAX:
        return body
    return raw[: MANIFEST_BYTES_MAX - len(_CUT)].decode(errors="ignore") + _CUT


def generation_of(manifest: Manifest) -> int:
    """The API server's count of changes, or a number that changes with the spec where none counted.

    API servers count to 2^63; a count that comes back after 2^31 changes is no other for us.
    """
    counted = integer(manifest, "metadata", "generation")
    if counted is not None:
        return counted & GENERATION_MAX
    try:
        body: str = yaml.dump(mapping(manifest, "spec"), Dumper=yaml.CSafeDumper, sort_keys=True)
    except _NOT_TO_BE_WRITTEN:
        return 1
    return (zlib.crc32(body.encode()) & GENERATION_MAX) or 1
