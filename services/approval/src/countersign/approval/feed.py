"""The news of the bus, from the beginning of the stream, and whether we have read up to now."""

import asyncio
from typing import Final

from countersign.approval.promotions.projection import Promotions
from countersign.approval.revocation.reactions import Reactions
from countersign.messaging.bus import Bus
from countersign.messaging.projections.follower import follow

STREAM: Final = "PROMOTIONS"


async def read_news(
    bus: Bus, *, reactions: Reactions, promotions: Promotions, caught_up: asyncio.Event
) -> None:
    """Until cancelled."""
    await follow(
        bus,
        streams=(STREAM,),
        apply=reactions.on_event,
        caught_up=caught_up,
        restarted=lambda _: promotions.clear(),
    )
