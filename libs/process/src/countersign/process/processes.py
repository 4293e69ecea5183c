"""The life of a process: it dies on a signal, in time, and leaves no memory behind."""

import asyncio
import ctypes
import os
import resource
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

from countersign.telemetry.logs import get_logger

log = get_logger()

# Kubernetes kills after 30 s by default.
GRACE_S: Final = 25.0
EXIT_OVERDUE: Final = 75
# https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html
_PR_SET_DUMPABLE: Final = 4
_BARE: Final = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


def forbid_dumps() -> None:
    """No core file, and no reading of this memory by others of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) failed")


def bare_environment() -> dict[str, str]:
    """All that a process needs to start Python and to check certificates, and no credential."""
    return {name: value for name in _BARE if (value := os.environ.get(name)) is not None}


def run_until_signal(main: Coroutine[Any, Any, None], *, grace_s: float = GRACE_S) -> int:
    """Run until it ends, or until SIGTERM or SIGINT cancels it.

    Args:
        main: what to run; it cleans up in its `finally` and `async with`.
        grace_s: how long it may take for that before the process is ended, seconds.

    Returns:
        The exit code, 0. Errors of `main` are raised.

    """
    return asyncio.run(_supervise(main, grace_s))


@contextmanager
def single_error() -> Iterator[None]:
    """Around a `TaskGroup`: a group of one error is that error, as callers expect it."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def _supervise(main: Coroutine[Any, Any, None], grace_s: float) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    stopping = False

    def stop(name: str) -> None:
        nonlocal stopping
        if stopping:
            return
        stopping = True
        log.info("process.stopping", signal=name)
        task.cancel()
        loop.call_later(grace_s, _give_up, grace_s)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)
    try:
        await task
    except asyncio.CancelledError:
        if not stopping:
            raise
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return 0


def _give_up(grace_s: float) -> None:
    log.error("process.overdue", grace_s=grace_s)
    os._exit(EXIT_OVERDUE)
