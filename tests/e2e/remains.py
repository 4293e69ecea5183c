"""Looks for secrets in the memory of processes, as root on their node can."""

import errno
import resource
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from countersign.local.demo.walk.scanning import with_descendants

# Of a token; what is shorter is found by chance.
GRAM = 8


@dataclass(frozen=True)
class Memory:
    """The processes of one service: what was found in them, and whether they could be read."""

    found: frozenset[str]
    closed: bool


def memory_of(pids: Iterable[int], secrets: Mapping[str, str]) -> Memory:
    """Look for both ends of each secret in all that a service and its children may write to.

    A process that is not dumpable is closed to everybody but root.
    """
    needles = {
        needle.encode(): name
        for name, text in secrets.items()
        for needle in (text[:GRAM], text[-GRAM:])
    }
    found: set[str] = set()
    try:
        for pid in with_descendants(pids):
            for content in _regions(pid):
                found |= {name for needle, name in needles.items() if needle in content}
    except PermissionError:
        return Memory(found=frozenset(found), closed=True)
    return Memory(found=frozenset(found), closed=False)


def _regions(pid: int) -> Iterator[bytes]:
    process = Path("/proc") / str(pid)
    try:
        maps = (process / "maps").read_text().splitlines()
        with (process / "mem").open("rb", buffering=0) as memory:
            for line in maps:
                span, rights, *_ = line.split(None, 5)
                start, end = (int(bound, 16) for bound in span.split("-"))
                if rights.startswith("rw"):
                    yield from _readable(memory, start, end)
    except (FileNotFoundError, ProcessLookupError):
        return  # an executor that has ended meanwhile


def _readable(memory: FileIO, start: int, end: int) -> Iterator[bytes]:
    """Read a region; the pages that guard a stack may be part of it, and nobody reads those."""
    while start < end:
        memory.seek(start)
        try:
            content = memory.read(end - start)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            content = b""
        yield content
        start += len(content) or resource.getpagesize()


def listening(pid: int) -> set[str]:
    """Return the addresses, as `host:port`, at which a process takes connections."""
    inodes = set()
    for descriptor in (Path("/proc") / str(pid) / "fd").iterdir():
        target = str(descriptor.readlink()) if descriptor.is_symlink() else ""
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    return {
        address
        for table in ("tcp", "tcp6", "udp", "udp6")
        for address, inode in _sockets(pid, table)
        if inode in inodes
    }


def _sockets(pid: int, table: str) -> Iterator[tuple[str, str]]:
    """Yield where they are bound and by which inode: those that listen, or take datagrams."""
    listens = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}[table]
    lines = (Path("/proc") / str(pid) / "net" / table).read_text().splitlines()[1:]
    for line in lines:
        _, local, _, state, *rest = line.split()
        if state == listens:
            host, _, port = local.partition(":")
            yield f"{_host(host)}:{int(port, 16)}", rest[5]


def _host(hexadecimal: str) -> str:
    """Write an IPv4 address as people do, another as it is."""
    if len(hexadecimal) != len("0100007F"):
        return hexadecimal
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(hexadecimal)))
