"""The parser: a process with no network, no secret and little of everything else.

It gets files and returns where their markers are. What it says is checked by who asked.
"""

import json
import resource
import signal
import socket
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs import channel
from countersign.pr_writer.jobs.findings import Found, Place
from countersign.pr_writer.jobs.limits import limit_memory
from countersign.pr_writer.jobs.markers import Marked
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parser.scanning import find
from countersign.pr_writer.parser.verification import verify

CPU_S: Final = 5
MEMORY_BYTES_MAX: Final = 256 * 1024 * 1024


def run(sock: socket.socket) -> None:
    """Answer until the other end closes."""
    limit()
    while True:
        try:
            head = json.loads(channel.receive(sock))
            body = channel.receive(sock)
        except channel.Closed:
            return
        answer = _find(head, body) if head["op"] == "find" else _verify(head, body)
        channel.send(sock, answer)


def limit() -> None:
    """Allow no new files or sockets, no processes, no writing; bound time and memory."""
    limit_memory(MEMORY_BYTES_MAX)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _find(head: dict[str, Any], body: bytes) -> bytes:
    found: list[dict[str, Any]] = []
    at = 0
    for size in head["sizes"]:
        found.append(_found(body[at : at + size]).model_dump())
        at += size
    return json.dumps(found).encode()


def _found(body: bytes) -> Found:
    try:
        markers = find(body)
    except Rejected as error:
        return Found(reason=error.reason, message=error.message)
    except (MemoryError, RecursionError):
        return Found(
            reason=JobRefusal.LIMIT_EXCEEDED, message="it needs more memory than a file may"
        )
    return Found(
        marked=tuple(
            Place(
                start=m.start,
                end=m.end,
                style=m.style,
                marker=m.marker,
                line=m.line,
            )
            for m in markers.marked
        ),
        misplaced=tuple((m.marker, m.line, m.reason) for m in markers.misplaced),
    )


def _verify(head: dict[str, Any], body: bytes) -> bytes:
    before, after = body[: head["before"]], body[head["before"] :]
    places = [Marked(**place) for place in head["places"]]
    try:
        verify(before, after, places=places, key=head["key"], values=head["values"])
    except Rejected as error:
        return json.dumps({"reason": error.reason, "message": error.message}).encode()
    return b"{}"
