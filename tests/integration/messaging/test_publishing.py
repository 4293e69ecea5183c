"""Events into streams, on a real nats-server."""

import asyncio
import json
from typing import Any

import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.subjects import event_subject
from countersign.messaging.bus import AlreadyExists


async def test_event_is_stored_below_the_event_root_with_its_headers(
    server: Any, bus_of: Any, requested: Any
) -> None:
    async with bus_of("watcher") as bus:
        event = requested()

        published = await bus.publish(event, message_id="m1")

        received = await bus.last(type(event), event_subject(event), stream="PROMOTIONS")
        assert received.message == event
        assert received.sequence == published.sequence == 1
        assert received.message_id == "m1"
        assert received.headers["ce-type"] == "dev.countersign.promotion.requested.v1"
        assert received.headers["ce-source"] == "/countersign"
        assert received.subject == event_subject(event)


async def test_same_message_id_is_stored_once(server: Any, bus_of: Any, requested: Any) -> None:
    async with bus_of("watcher") as bus:
        first = await bus.publish(requested(), message_id="m1")
        second = await bus.publish(requested(), message_id="m1")

        assert (first.duplicate, second.duplicate) == (False, True)
        assert second.sequence == first.sequence


async def test_create_once_refuses_a_second_publisher(
    server: Any, bus_of: Any, requested: Any
) -> None:
    async with bus_of("watcher", replica="a") as one, bus_of("watcher", replica="b") as two:
        await one.publish(requested(), message_id="from-a", create_once=True)

        with pytest.raises(AlreadyExists) as refused:
            await two.publish(requested(), message_id="from-b", create_once=True)

        assert refused.value.reason == "exists"


async def test_create_once_holds_after_the_duplicate_window(
    server: Any, bus_of: Any, requested: Any, connect_as: Any
) -> None:
    """The fence looks at the stored subject, so it outlives the memory for message ids."""
    async with connect_as("topology") as topology:
        info = json.loads((await topology.request("$JS.API.STREAM.INFO.PROMOTIONS")).data)
        body = json.dumps(info["config"] | {"duplicate_window": 100_000_000}).encode()
        await topology.request("$JS.API.STREAM.UPDATE.PROMOTIONS", body)
    async with bus_of("watcher") as bus:
        await bus.publish(requested(), message_id="m1", create_once=True)
        await asyncio.sleep(0.3)  # the server's window, for which there is no event

        with pytest.raises(AlreadyExists):
            await bus.publish(requested(), message_id="m1", create_once=True)


async def test_create_once_within_the_duplicate_window_refuses_even_the_same_id(
    server: Any, bus_of: Any, requested: Any
) -> None:
    """The server looks at the fence first: *exists* is also what a retry of ours hears."""
    async with bus_of("watcher") as bus:
        await bus.publish(requested(), message_id="m1", create_once=True)

        with pytest.raises(AlreadyExists):
            await bus.publish(requested(), message_id="m1", create_once=True)


async def test_concurrent_creators_make_one(server: Any, bus_of: Any, requested: Any) -> None:
    async with bus_of("watcher") as bus:
        tries = [bus.publish(requested(), message_id=f"m{n}", create_once=True) for n in range(10)]
        results = await asyncio.gather(*tries, return_exceptions=True)

        stored = [result for result in results if not isinstance(result, BaseException)]
        assert len(stored) == 1
        assert sum(isinstance(result, AlreadyExists) for result in results) == 9


async def test_publishing_without_a_stream_is_retryable(
    bare_server: Any, bus_of: Any, requested: Any
) -> None:
    async with bus_of("watcher") as bus:
        with pytest.raises(Retryable) as failed:
            await bus.publish(requested(), message_id="m1")

        assert failed.value.reason == "no_stream"


async def test_too_large_an_event_is_rejected(server: Any, bus_of: Any, requested: Any) -> None:
    async with bus_of("watcher") as bus:
        with pytest.raises(Rejected) as failed:
            await bus.publish(requested(padding="x" * 1_200_000), message_id="m1")

        assert failed.value.reason == "too_large"


async def test_event_that_only_its_headers_make_too_large_does_not_end_the_connection(
    server: Any, bus_of: Any, requested: Any
) -> None:
    """The server counts headers too and hangs up; a Pipeline's author chooses the size."""
    async with bus_of("watcher") as bus:
        bare = len(requested(padding="x").to_json()) - 1

        with pytest.raises(Rejected) as failed:
            await bus.publish(requested(padding="x" * (1024 * 1024 - bare)), message_id="m1")

        assert failed.value.reason == "too_large"
        await bus.publish(requested("p2"), message_id="m2")


async def test_name_too_long_for_a_subject_does_not_end_the_connection(
    server: Any, bus_of: Any, requested: Any
) -> None:
    """An environment's name is any string, and the server hangs up on a long control line."""
    async with bus_of("watcher") as bus:
        event = requested()
        ref = event.promotion.model_copy(update={"environment": "é" * 1_000})

        with pytest.raises(Rejected) as failed:
            await bus.publish(event.model_copy(update={"promotion": ref}), message_id="m1")

        assert failed.value.reason == "too_large"
        await bus.publish(requested("p2"), message_id="m2")
