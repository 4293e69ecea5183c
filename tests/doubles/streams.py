"""The streams and consumers that services find at their bus."""

from typing import Protocol

from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.streams import DURABLES, STREAMS


class Server(Protocol):
    """A bus of a test, which knows how its users connect."""

    def settings(self, user: str) -> BusSettings: ...


async def provision(server: Server) -> None:
    """Make them, as `countersign-topology apply` does."""
    state = ConnectionState("topology")
    client = await connect(server.settings("topology"), service="topology", state=state)
    try:
        await apply_topology(client, streams=STREAMS.values(), durables=DURABLES.values())
    finally:
        await close(client, state)
