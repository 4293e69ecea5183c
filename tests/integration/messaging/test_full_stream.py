"""A stream that is full, and one with room again."""

import json
from typing import Any

import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.messaging.topology.streams import STREAMS
from countersign.process.health import Health


async def limit(connect_as: Any, bytes_max: int) -> None:
    config = {**STREAMS["PROMOTIONS"].config(), "max_bytes": bytes_max}
    async with connect_as("topology") as topology:
        answer = await topology.request(
            "$JS.API.STREAM.UPDATE.PROMOTIONS", json.dumps(config).encode()
        )
        assert "error" not in json.loads(answer.data)


async def test_publisher_is_not_ready_while_its_stream_is_full(
    server: Any, bus_of: Any, connect_as: Any, requested: Any
) -> None:
    health = Health()
    async with bus_of("watcher", health=health) as watcher:
        await watcher.publish(requested("p1"), message_id="m1")
        await limit(connect_as, 1)

        with pytest.raises((Rejected, Retryable)):
            await watcher.publish(requested("p2"), message_id="m2")
        assert "PROMOTIONS" in health.not_ready()["publishing"]
        assert health.not_live() == {}

        await limit(connect_as, STREAMS["PROMOTIONS"].bounds.bytes_max)
        await watcher.publish(requested("p2"), message_id="m2")
        assert health.not_ready() == {}


async def test_who_only_reads_stays_ready(server: Any, bus_of: Any) -> None:
    health = Health()
    async with bus_of("gateway", health=health):
        assert health.not_ready() == {}
