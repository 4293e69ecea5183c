"""The news of the bus, from the beginning of its streams to now and on."""

import asyncio
from typing import Final

from countersign.approval.revocation.reactions import Reactions
from countersign.messaging.bus import Bus
from countersign.messaging.projections.follower import follow

PROMOTIONS: Final = "PROMOTIONS"
PIPELINES: Final = "PIPELINES"


async def read_news(bus: Bus, *, reactions: Reactions, caught_up: asyncio.Event) -> None:
    """Read until cancelled."""

    def restarted(stream: str) -> None:
        if stream == PROMOTIONS:
            reactions.promotions.clear()
        else:
            reactions.environments.clear()

    await follow(
        bus,
        streams=(PROMOTIONS, PIPELINES),
        apply=reactions.on_event,
        caught_up=caught_up,
        restarted=restarted,
    )
