"""Limits of a process of ours on its own memory."""

import resource
from pathlib import Path

_PAGE_BYTES = resource.getpagesize()


def limit_memory(bytes_max: int) -> None:
    """Have what goes beyond so many further bytes fail with a `MemoryError`.

    What is mapped already counts, so memory is bounded above that.
    """
    statm = Path("/proc/self/statm").read_text(encoding="ascii")
    memory_bytes = int(statm.split()[0]) * _PAGE_BYTES + bytes_max
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
