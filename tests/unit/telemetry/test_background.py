"""Work in the background: a process in which it ended is not live, however it ended."""

import asyncio

import pytest

from countersign.process.health import Health
from countersign.process.tasks.background import WorkEnded, background, in_background


async def forever() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def failing() -> None:
    raise KeyError("x")


async def test_process_is_live_while_the_work_goes_on() -> None:
    health = Health()
    task = asyncio.create_task(in_background("work", forever, health=health))
    await asyncio.sleep(0)

    assert health.not_live() == {}

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_process_is_not_live_once_the_work_failed() -> None:
    health = Health()

    with pytest.raises(KeyError):
        await in_background("work", failing, health=health)

    assert health.not_live() == {"work": "ended: KeyError"}


async def test_work_that_ends_by_itself_is_a_fault() -> None:
    health = Health()

    with pytest.raises(WorkEnded):
        await in_background("work", at_once, health=health)

    assert "work" in health.not_live()


async def test_process_is_not_live_once_the_work_alone_was_cancelled() -> None:
    """A task group takes no notice of one that was cancelled."""
    health = Health()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(in_background("work", forever, health=health))
        await asyncio.sleep(0)
        task.cancel()

    assert "work" in health.not_live()


async def test_work_that_is_not_ready_is_live() -> None:
    health = Health()

    async def work() -> None:
        with background("work", health=health, ready=lambda: "replaying"):
            assert health.not_ready() == {"work": "replaying"}
            assert health.not_live() == {}

    with pytest.raises(WorkEnded):
        await work()


async def test_work_that_is_begun_anew_is_live_again() -> None:
    health = Health()
    with pytest.raises(WorkEnded):
        await in_background("work", at_once, health=health)

    task = asyncio.create_task(in_background("work", forever, health=health))
    await asyncio.sleep(0)

    assert health.not_live() == {}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
