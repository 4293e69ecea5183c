"""A service that begins to serve while something beside it fails."""

import asyncio
from typing import Any, Never

import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import FlushTimeoutError

from countersign.contracts.message import Message
from countersign.messaging.bus import Answer, Bus, Call, Work
from countersign.process.health import Health


async def unused(_request: Message, _call: Call) -> Never:
    raise AssertionError


async def serve_beside(bus: Bus, failing: Any) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(failing)
        async with bus.serving(answers=[Answer("approval.begin", unused)]):
            await asyncio.Event().wait()


async def fail_after(turns: int) -> Never:
    for _ in range(turns):
        await asyncio.sleep(0)
    raise KeyError("dead")


async def fail_within(seconds: float) -> Never:
    await asyncio.sleep(seconds)
    raise KeyError("dead")


@pytest.mark.parametrize(
    "failing",
    [
        *(pytest.param((fail_after, n), id=f"after-{n}-turns") for n in (0, 1, 2, 5, 10, 50)),
        *(pytest.param((fail_within, n / 1000), id=f"within-{n}-ms") for n in (0.5, 1, 2, 4, 8)),
    ],
)
async def test_failure_beside_ends_what_is_only_beginning_to_serve(
    server: Any, bus_of: Any, failing: Any
) -> None:
    """The client library loses a cancellation in more than one place while it connects."""
    fail, when = failing
    async with bus_of("approval") as bus:
        with pytest.RaisesGroup(KeyError):
            async with asyncio.timeout(10):
                await serve_beside(bus, fail(when))


async def test_connection_of_what_did_not_get_to_serve_is_closed(
    server: Any, bus_of: Any, connect_as: Any
) -> None:
    before = len(asyncio.all_tasks())
    async with bus_of("approval") as bus:
        with pytest.RaisesGroup(KeyError):
            await serve_beside(bus, fail_within(0.002))
    await asyncio.sleep(0)

    assert len(asyncio.all_tasks()) == before


async def test_connection_that_cannot_be_drained_is_closed(
    server: Any, bus_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: object) -> Never:
        raise FlushTimeoutError

    before = len(asyncio.all_tasks())
    async with bus_of("approval") as bus, bus.serving(answers=[Answer("approval.begin", unused)]):
        monkeypatch.setattr(Subscription, "drain", fail)
        monkeypatch.setattr(Client, "drain", fail)
    await asyncio.sleep(0)

    assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize("name", ["pulling", "beating"])
async def test_process_is_not_live_once_nobody_asks_for_work(
    server: Any, bus_of: Any, name: str
) -> None:
    health = Health()

    async def on_job(_received: Any) -> None:
        pass

    async with (
        bus_of("pr-writer", health=health) as bus,
        bus.serving(work=[Work(durable="pr-writer-jobs", handler=on_job)]),
    ):
        await asyncio.sleep(0)
        work = f"{name}-pr-writer-jobs"
        (task,) = (task for task in asyncio.all_tasks() if task.get_name() == work)
        task.cancel()
        await asyncio.wait({task})

        assert work in health.not_live()
