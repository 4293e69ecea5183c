"""A bus that goes away and comes back."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import nkeys
import pytest

from countersign.contracts.errors import Retryable
from countersign.messaging import publishing
from countersign.messaging.bus import Work, open_bus
from countersign.messaging.settings import BusSettings
from countersign.process.health import Health


async def test_lost_bus_is_not_ready_and_recovers(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    health = Health()
    async with bus_of("watcher", health=health) as bus:
        assert health.not_ready() == {}
        await server.stop()
        await until(lambda: "not connected" in health.not_ready().get("bus", ""))
        await server.start()
        await until(lambda: health.not_ready() == {})

        published = await bus.publish(requested(), message_id="m1")

    assert published.sequence == 1


async def test_answer_that_nobody_waits_for_any_more_leaves_the_connection_hearing(
    server: Any, bus_of: Any
) -> None:
    async with bus_of("watcher") as bus:
        waiting = asyncio.create_task(bus.client.flush())
        await asyncio.sleep(0)
        waiting.cancel()

        await bus.client.flush(5)

    assert waiting.cancelled()


async def test_publishing_while_the_bus_is_away_fails_in_time_and_can_be_repeated(
    *, server: Any, bus_of: Any, requested: Any, until: Any, monkeypatch: Any
) -> None:
    """The first may yet arrive when the bus is back; the same id makes the second harmless."""
    monkeypatch.setattr(publishing, "PUBLISH_TIMEOUT_S", 0.2)
    async with bus_of("watcher") as bus:
        await server.stop()
        with pytest.raises(Retryable):
            await bus.publish(requested(), message_id="m1")
        await server.start()
        await until(lambda: bus.client.is_connected)
        monkeypatch.undo()
        again = await bus.publish(requested(), message_id="m1")

    assert again.sequence == 1


async def test_what_waits_for_the_bus_is_bounded(
    server: Any, bus_of: Any, requested: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(publishing, "PUBLISH_TIMEOUT_S", 0.05)
    async with bus_of("watcher") as bus:
        await server.stop()
        reasons = set()
        for number in range(5):
            with pytest.raises(Retryable) as failed:
                await bus.publish(requested(padding="x" * 900_000), message_id=f"m{number}")
            reasons.add(failed.value.reason)
            assert bus.client.pending_data_size < 4 * 1024 * 1024

    assert "bus_unavailable" in reasons


async def test_connecting_waits_for_a_bus_that_is_not_there_yet(
    *, bare_server: Any, bus_of: Any, make_topology: Any, requested: Any, until: Any
) -> None:
    await bare_server.stop()
    health = Health()

    async def publish() -> Any:
        async with bus_of("watcher", health=health) as bus:
            await make_topology()
            return await bus.publish(requested(), message_id="m1")

    async with asyncio.TaskGroup() as tasks:
        published = tasks.create_task(publish())
        await until(lambda: "bus" in health.not_ready())
        await bare_server.start()

    assert published.result().sequence == 1


async def test_work_goes_on_when_the_bus_is_back(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    health, seen = Health(), []

    async def on_job(received: Any) -> None:
        seen.append(received.message_id)

    async with (
        bus_of("watcher") as watcher,
        bus_of("pr-writer", health=health) as writer,
        writer.serving(work=(Work("pr-writer-jobs", on_job),)),
    ):
        await until(lambda: health.not_ready() == {})
        await server.kill()
        await until(lambda: {"bus", "bus-serving"} <= set(health.not_ready()))
        await server.start()
        await until(lambda: health.not_ready() == {})
        await watcher.publish(requested(), message_id="m1")
        await until(lambda: seen == ["m1"])


async def test_subscription_that_is_not_permitted_makes_it_not_ready(
    server: Any, bus_of: Any, until: Any
) -> None:
    health = Health()
    async with bus_of("auditor", health=health) as bus:
        await bus.client.subscribe("countersign.v1.promotion.>")
        await bus.client.flush()
        await until(lambda: "bus" in health.not_ready())


def test_settings_name_the_file_that_is_missing(monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setenv("COUNTERSIGN_NKEY_FILE", str(tmp_path / "nothing.nk"))

    with pytest.raises(ValueError, match=r"nothing\.nk"):
        BusSettings()


async def test_connection_closed_for_good_ends_the_process(server: Any, tmp_path: Any) -> None:
    """Rather 70 and a restart than a service that hears nothing."""
    script = Path(tmp_path) / "closed.py"
    script.write_text(
        "import asyncio\n"
        "from countersign.messaging.bus import open_bus\n"
        "from countersign.messaging.settings import BusSettings\n"
        "from countersign.process.health import Health\n"
        "async def main():\n"
        "    async with open_bus(BusSettings(), service='watcher', health=Health()) as bus:\n"
        "        await bus.client.close()\n"
        "asyncio.run(main())\n"
    )
    environment = os.environ | {
        "COUNTERSIGN_NATS_URL": server.url,
        "COUNTERSIGN_NKEY_FILE": str(server.keys_dir / "watcher.nk"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), env=environment, stderr=asyncio.subprocess.DEVNULL
    )

    assert await asyncio.wait_for(process.wait(), 30) == 70


async def test_wrong_key_is_told_by_readiness(server: Any, tmp_path: Any, until: Any) -> None:
    health = Health()
    settings = server.settings("watcher").model_copy(
        update={"nkey_file": _stranger(tmp_path / "stranger.nk")}
    )

    async def connect() -> None:
        async with open_bus(settings, service="watcher", health=health):
            pass

    task = asyncio.create_task(connect())
    await until(lambda: "uthorization" in health.not_ready().get("bus", ""))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _stranger(path: Any) -> Any:

    path.write_bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
    return path
