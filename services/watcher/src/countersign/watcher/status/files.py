"""The chain of promotions, kept in a hidden file beside the Pipeline's own.

It stands for the status of the Pipeline object, and outlives every stream.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from countersign.contracts.errors import Rejected
from countersign.contracts.subjects import encode_name
from countersign.kube.objects import ObjectKey, mapping, text
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.kube.yaml_documents import documents
from countersign.telemetry.logs import get_logger
from countersign.watcher.model import NO_LINK, Links, Situation
from countersign.watcher.reading.manifest_files import Signature, signature_of
from countersign.watcher.status.links import read_link, shown_link

log = get_logger()

STATUS_BYTES_MAX: Final = 1024 * 1024
_HEADER: Final = "# Written by the watcher. It holds the last promotion into each environment.\n"

PathOf = Callable[[ObjectKey], Path | None]


class StatusFiles:
    """Reads a file only when it has changed; another watcher may write it too."""

    def __init__(self, path_of: PathOf) -> None:
        self._path_of = path_of
        self._known: dict[Path, tuple[Signature, Links]] = {}

    def read(self, pipeline: Pipeline) -> Links:
        path = self._path(pipeline)
        if path is None:
            return {}
        try:
            signature = signature_of(path.stat())
            known = self._known.get(path)
            if known is not None and known[0] == signature:
                return known[1]
            body = path.read_bytes()[: STATUS_BYTES_MAX + 1]
        except FileNotFoundError:
            return {}
        links = self._parsed(body, path=path, uid=pipeline.ref.uid)
        self._known[path] = (signature, links)
        return links

    def write(self, pipeline: Pipeline, links: Links) -> None:
        """Replace the file as a whole, so that a crash leaves the old or the new one."""
        path = self._path(pipeline)
        kept = {name: link for name, link in links.items() if link != NO_LINK}
        if path is None or kept == dict(self.read(pipeline)):
            return
        body = _HEADER + yaml.dump(_shown(pipeline, kept), sort_keys=False, allow_unicode=True)
        handle, temporary = tempfile.mkstemp(prefix=".countersign-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def published(self, situation: Situation) -> None:
        """A file says no more than the chain."""

    def _path(self, pipeline: Pipeline) -> Path | None:
        beside = self._path_of(pipeline.key)
        if beside is None:
            return None
        namespace, name = encode_name(pipeline.key.namespace), encode_name(pipeline.key.name)
        file_name = f".{namespace}.{name}.status.yaml"
        if len(file_name) > 255:  # noqa: PLR2004 - NAME_MAX of Linux
            file_name = f".{pipeline.ref.uid}.status.yaml"
        return beside.parent / file_name

    def _parsed(self, body: bytes, *, path: Path, uid: str) -> Links:
        """Read the links; one that cannot be read is left out: the stream has most of it."""
        try:
            document = next(documents(body), None)
            if text(document, "uid") != uid:
                return {}
            entries = mapping(document, "environments")
            return {str(name): read_link(entry) for name, entry in entries.items()}
        except (Rejected, ValueError) as error:
            log.warning("status_file.unreadable", path=str(path), reason=type(error).__name__)
            return {}


def _shown(pipeline: Pipeline, links: Links) -> Mapping[str, Any]:
    return {
        "uid": pipeline.ref.uid,
        "environments": {name: shown_link(link) for name, link in links.items()},
    }
