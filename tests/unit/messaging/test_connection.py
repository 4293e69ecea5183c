"""What the client library does not do by itself."""

import asyncio

import pytest

from countersign.messaging.connection import ConnectionState
from countersign.messaging.settings import BusSettings
from countersign.process.tasks.cancellation import keeping_cancellation


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


async def test_bus_that_stays_away_is_told_once_for_each_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = ConnectionState("made-up")
    on = state.options(BusSettings(), "watcher")

    await on["disconnected_cb"]()
    for reason in ("refused", "refused", "refused", "no route", "no route"):
        await on["error_cb"](OSError(reason))
    said = capsys.readouterr().out

    assert said.count("bus.error") == 2
    assert state.reason() == "not connected: no route"

    await on["reconnected_cb"]()
    await on["error_cb"](OSError("no route"))

    assert "bus.error" in capsys.readouterr().out
