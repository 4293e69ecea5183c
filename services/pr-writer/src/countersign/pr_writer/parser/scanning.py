"""Finds marked scalars in a YAML file, to the byte. Pure; runs where there is no token.

Of a file with several documents only those that hold a marker are parsed.
"""

from typing import Final

import yaml

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs.files import FILE_BYTES_MAX
from countersign.pr_writer.jobs.markers import Markers
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parser import sops
from countersign.pr_writer.parser.documents import BOM, NODES_MAX, documents, events, lines_in
from countersign.pr_writer.parser.marking import Document

NEEDLE: Final = b'"$promotion"'
MARKERS_MAX: Final = 10_000  # as many as a file of 256 KiB can hold
# Eight bytes each, in a file that is as large as it may be: one that people read has longer ones.
LINES_MAX: Final = 1_000_000
_WIDE_NEEDLES: Final = tuple(
    NEEDLE.decode().encode(name) for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
)


def find(body: bytes) -> Markers:
    """All markers of a file, whatever pipeline they are of.

    Raises:
        Rejected: `limit_exceeded`, or `not_yaml` (a Helm template, other encodings).

    """
    if len(body) > FILE_BYTES_MAX:
        raise Rejected(JobRefusal.LIMIT_EXCEEDED, f"{len(body)} bytes, more than {FILE_BYTES_MAX}")
    if any(needle in body for needle in _WIDE_NEEDLES):
        raise Rejected(JobRefusal.NOT_YAML, "UTF-16; save it as UTF-8")
    if NEEDLE not in body:
        return Markers()
    if body.count(NEEDLE) > MARKERS_MAX or lines_in(body) > LINES_MAX:
        raise Rejected(
            JobRefusal.LIMIT_EXCEEDED, f"more than {MARKERS_MAX} markers or {LINES_MAX} lines"
        )
    try:
        body.decode()
    except UnicodeDecodeError:
        raise Rejected(JobRefusal.NOT_YAML, "not UTF-8") from None
    marking, sealed = _parsed(body)
    found = [document.markers(sealed=sealed) for document in marking]
    return Markers(
        tuple(m for markers in found for m in markers.marked),
        tuple(m for markers in found for m in markers.misplaced),
    )


def _parsed(body: bytes) -> tuple[list[Document], bool]:
    """Return the documents that hold markers, and whether SOPS signed the file.

    One that holds none is not looked into; it is nothing to the others.
    """
    start = len(BOM) if body.startswith(BOM) else 0
    marking: list[Document] = []
    sealed, line, left = False, 0, NODES_MAX
    for part in documents(body[start:]):
        try:
            if NEEDLE in part:
                document = Document(part.decode(), start=start, line=line, nodes_max=left)
                marking.append(document)
                left -= len(document.events)
            if sops.KEY in part:
                text = part.decode()
                left -= 0 if NEEDLE in part else len(events(text, nodes_max=left))
                sealed = sealed or sops.is_sealed(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"line {line + mark.line + 1}: " if mark else ""
            raise Rejected(
                JobRefusal.NOT_YAML, f"{where}{getattr(error, 'problem', None) or 'unreadable'}"
            ) from None
        start += len(part)
        line += lines_in(part)
    return marking, sealed
