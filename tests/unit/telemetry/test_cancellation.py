"""Work that a cancellation must not reach half-way."""

import asyncio

import pytest

from countersign.process.tasks.cancellation import uninterrupted


async def test_result_is_returned() -> None:
    async def work() -> int:
        return 7

    assert await uninterrupted(work(), grace_s=1) == 7


async def test_error_is_raised() -> None:
    async def work() -> int:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await uninterrupted(work(), grace_s=1)


async def test_cancellation_waits_for_the_end_of_the_work() -> None:
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        ended.set()

    task = asyncio.create_task(uninterrupted(work(), grace_s=60))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()

    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_work_without_end_is_cancelled_after_its_grace() -> None:
    task = asyncio.create_task(uninterrupted(asyncio.Event().wait(), grace_s=0))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_forgets_a_cancellation_is_cancelled_again() -> None:
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # As `wait_for` of Python 3.11 does beside an answer of the same moment.
            await asyncio.Event().wait()

    task = asyncio.create_task(uninterrupted(work(), grace_s=0))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
