"""One file of the directory: what it holds, or why it cannot be read."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.kube.flux.rules import Record
from countersign.kube.objects import Manifest, ObjectKey
from countersign.kube.yaml_documents import documents
from countersign.watcher.refusals import WatcherRefusal

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
# An object in etcd is at most 1.5 MiB; a file may hold many.
FILE_BYTES_MAX: Final = 16 * 1024 * 1024
DOCUMENTS_MAX: Final = 10_000

Signature = tuple[int, int, int, int]
Read = Callable[[Manifest], Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """`problem` is set when its last reading failed; `records` are then those of the last good."""

    signature: Signature
    records: dict[ObjectKey, Record] = field(default_factory=dict)
    problem: str = ""
    was_good: bool = False
    # Documents that are no Kubernetes objects, which is no fault of the file.
    ignored: int = 0


def signature_of(found: os.stat_result) -> Signature:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_file(path: Path, *, before: ManifestFile | None, read: Read) -> ManifestFile | None:
    """The file as it is now; none when it is gone.

    What was good before is kept while the file is broken or half written.
    """
    try:
        with path.open("rb") as file:
            signature = signature_of(os.fstat(file.fileno()))
            body = file.read(FILE_BYTES_MAX + 1)
            moved = signature_of(os.fstat(file.fileno())) != signature
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return _broken((0, 0, 0, 0), before, f"cannot be read: {error.strerror}")
    if moved:
        # Whoever writes it is not done; its next change is noticed, or the next re-reading is.
        return _broken((0, 0, 0, 0), before, "is being written")
    try:
        return _parsed(body, signature=signature, before=before, read=read)
    except Rejected as refusal:
        return _broken(signature, before, refusal.message)


def _broken(signature: Signature, before: ManifestFile | None, problem: str) -> ManifestFile:
    return ManifestFile(
        signature=signature,
        records=before.records if before else {},
        problem=problem,
        was_good=before.was_good if before else False,
    )


def _parsed(
    body: bytes, *, signature: Signature, before: ManifestFile | None, read: Read
) -> ManifestFile:
    if len(body) > FILE_BYTES_MAX:
        raise Rejected(WatcherRefusal.TOO_LARGE, f"is larger than {FILE_BYTES_MAX} bytes; split it")
    if not body.strip() and before is not None and before.records:
        # Editors and shells empty a file before they write it.
        raise Rejected(WatcherRefusal.EMPTY, "is empty; delete the file to remove its objects")
    records: dict[ObjectKey, Record] = {}
    ignored = 0
    for document in _documents(body):
        try:
            record = read(document)
        except Rejected:
            ignored += 1
            continue
        records[record.key] = record
    return ManifestFile(signature=signature, records=records, was_good=True, ignored=ignored)


def _documents(body: bytes) -> Iterator[Any]:
    """Take apart the documents of a file.

    Raises:
        Rejected: `bad_yaml`; the message names the place, never the content.

    """
    for count, document in enumerate(documents(body), start=1):
        if count > DOCUMENTS_MAX:
            raise Rejected(
                WatcherRefusal.TOO_LARGE, f"holds more than {DOCUMENTS_MAX} documents; split it"
            )
        if document is not None:
            yield from _items(document)


def _items(document: Any) -> Iterator[Any]:
    """Take apart the one List of objects that `kubectl get -o yaml` prints."""
    if isinstance(document, dict) and document.get("kind") == "List":
        items = document.get("items")
        yield from items if isinstance(items, list) else ()
    else:
        yield document
