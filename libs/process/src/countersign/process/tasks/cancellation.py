"""Cancellation around libraries that lose it, or leave things open when it reaches them."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_Result = TypeVar("_Result")


@contextmanager
def keeping_cancellation() -> Iterator[None]:
    """Run a block that waits by `asyncio.wait_for`, as many libraries do.

    On Python 3.11 that forgets a cancellation which comes together with the answer, and who was to
    be stopped goes on. Source: https://github.com/python/cpython/issues/86296
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


async def uninterrupted(work: Coroutine[Any, Any, _Result], *, grace_s: float) -> _Result:
    """Await short work that must not be interrupted half-way.

    A cancellation takes effect once the work has ended, or after `grace_s` seconds; then the work
    is cancelled too, and again after each such time until it has ended: once may be forgotten, see
    `keeping_cancellation`.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not (await asyncio.wait({task}, timeout=grace_s))[0]:
            task.cancel()
        if not task.cancelled():
            task.exception()
        raise
