"""Bits of a stream's store have changed on the disk while the server was away."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.messaging.test_follower import following

from countersign.messaging.bus import Received, Work
from countersign.process.health import Health

EVENTS = 30
FACT_S_MAX = 30.0


def damage(store: Path) -> None:
    """Change one bit in the middle of what it holds of promotions."""
    (block,) = store.glob("**/streams/PROMOTIONS/msgs/*.blk")
    data = bytearray(block.read_bytes())
    data[len(data) // 2] ^= 0x40
    block.write_bytes(data)


# Stopped, the server trusts its index, and leaves the one event out; killed, it reads all anew, and
# the stream ends before that event.
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_damaged_events_are_left_out_never_told_wrongly_and_can_be_told_again(
    *, server: Any, bus_of: Any, requested: Callable[..., Any], until: Any, end: str
) -> None:
    told = {f"m{number}": requested(f"p{number}") for number in range(EVENTS)}
    worked_on: Counter[str] = Counter()
    health = Health()

    async def on_job(received: Received) -> None:
        worked_on[received.message_id] += 1

    work = (Work("pr-writer-jobs", on_job),)
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway", health=health) as gateway,
        bus_of("pr-writer") as writer,
        following(gateway) as seen,
        writer.serving(work=work),
    ):
        for name, event in told.items():
            await watcher.publish(event, message_id=name, create_once=True)
        await until(lambda: len(seen.ids) == len(worked_on) == EVENTS, timeout_s=FACT_S_MAX)
        await getattr(server, end)()
        damage(server.directory / "store")
        await server.start()
        await until(lambda: health.not_ready() == {}, timeout_s=FACT_S_MAX)

        async with bus_of("gateway") as later, following(later) as found:
            left = list(found.received)
            lost = told.keys() - set(found.ids)
            assert lost
            assert {r.message_id: r.message for r in left} == {
                name: event for name, event in told.items() if name not in lost
            }
            worked_on.clear()
            # As the watcher does, which finds out again what is pending.
            for name in lost:
                await watcher.publish(told[name], message_id=name, create_once=True)
            await until(lambda: set(found.ids) == set(told), timeout_s=FACT_S_MAX)
        await until(lambda: set(worked_on) == lost, timeout_s=FACT_S_MAX)
        # Who had read the events before has them still, or has read anew what there is now.
        await until(lambda: set(seen.ids) == set(told), timeout_s=FACT_S_MAX)
