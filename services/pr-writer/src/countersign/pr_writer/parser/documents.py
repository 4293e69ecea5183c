"""Divides a file into YAML documents, so that only those that matter are parsed; bounds each. Pure.

Only tokens and events of the C parser are read: nothing is constructed, so aliases do not multiply.
"""

import re
from collections.abc import Iterator
from typing import Final

import yaml

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs.refusals import JobRefusal

NODES_MAX: Final = 50_000
DEPTH_MAX: Final = 64
BOM: Final = b"\xef\xbb\xbf"
# Nothing inside a document may have it at the start of a line: quotes and brackets that reach over
# one are an error, and the text of a block is indented. libyaml knows more line breaks and blanks;
# what begins behind one of those stays with the document before it.
# Source: https://yaml.org/spec/1.2.2/#rule-c-forbidden
_BEGINNING: Final = re.compile(rb"\n---(?=[ \t\r\n]|\Z)")
# It is of the document that begins after it, and of no other.
# Source: https://yaml.org/spec/1.2.2/#68-directives
_DIRECTIVE: Final = re.compile(
    rb"%(?:(?<=[\r\n]%)|(?<=\xc2\x85%)|(?<=\xe2\x80[\xa8\xa9]%)|(?<=\A%))"
)
_WIDE_BREAKS: Final = (b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9")


def documents(body: bytes) -> Iterator[bytes]:
    """Divide a file without BOM: the parts are together the file, and each is parsed by itself.

    A part is one document, or several where it is not certain that they can be told apart.
    """
    start = looked_to = 0
    for beginning in _BEGINNING.finditer(body):
        end = beginning.start() + 1
        if _DIRECTIVE.search(body, looked_to, end) is None:
            yield body[start:end]
            start = end
        looked_to = end
    yield body[start:]


def lines_in(body: bytes) -> int:
    """Count line breaks as YAML 1.1 does."""
    wide = sum(map(body.count, _WIDE_BREAKS))
    return body.count(b"\n") + body.count(b"\r") - body.count(b"\r\n") + wide


def events(text: str, *, nodes_max: int = NODES_MAX) -> list[yaml.Event]:
    """The events of a document, counted.

    Raises:
        Rejected: `limit_exceeded`.
        yaml.YAMLError: it is none.

    """
    found: list[yaml.Event] = []
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        found.append(event)
        if depth > DEPTH_MAX or len(found) > nodes_max:
            raise Rejected(
                JobRefusal.LIMIT_EXCEEDED,
                f"what is parsed of it is deeper than {DEPTH_MAX} or over {NODES_MAX} nodes",
            )
    return found
