"""The gateway's view of its bus, of which a part may be out of reach."""

import asyncio

from integration.gateway.conftest import PATIENCE_S

from countersign.gateway.live.late_bus import LateBus
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.bus import Bus
from countersign.process.health import Health

# The server does not answer the gateway's user about it, as one that is cut off does not.
SILENT = "DEAD_LETTERS"


async def test_bus_of_which_one_stream_is_silent_is_away_whatever_others_say(
    nats: LocalServer,
) -> None:
    bus, connected = LateBus(), asyncio.Event()

    async def use(_bus: Bus) -> None:
        connected.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(bus.run(nats.settings("gateway"), health=Health(), use=use))
        await connected.wait()
        before = await bus.fullness("PROMOTIONS"), bus.connected
        await bus.fullness(SILENT)
        after = await bus.fullness("PROMOTIONS"), bus.connected
        running.cancel()

    assert before == (0.0, True)
    assert after == (0.0, False)
