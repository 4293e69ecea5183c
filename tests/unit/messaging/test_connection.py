"""What the client library does not do by itself."""

import asyncio

import pytest

from countersign.messaging.connection import keeping_cancellation


async def _wait(answer: asyncio.Future[int]) -> int:
    with keeping_cancellation():
        return await asyncio.wait_for(answer, 5)


async def test_cancellation_that_comes_together_with_the_answer_is_kept() -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(_wait(answer))
    await asyncio.sleep(0)

    answer.set_result(1)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_answer_to_who_was_cancelled_before_is_given() -> None:
    """Who cleans up while being stopped still speaks to the bus."""
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    answered: list[int] = []

    async def clean_up() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            answered.append(await _wait(answer))

    cleaning = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    cleaning.cancel()
    await asyncio.sleep(0)
    answer.set_result(1)

    with pytest.raises(asyncio.CancelledError):
        await cleaning
    assert answered == [1]
