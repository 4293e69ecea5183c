"""What the gateway does by the clock: ask again what those may do who have pages open."""

import asyncio
from typing import Final

from countersign.contracts.errors import Retryable
from countersign.gateway.web.site import Site
from countersign.telemetry.logs import get_logger

log = get_logger()

# Well before what was learnt is no longer believed.
RECHECK_INTERVAL_S: Final = 15.0


async def recheck_rights(site: Site) -> None:
    """Until cancelled; a right that was taken away is taken from open pages, too."""
    while True:
        await asyncio.sleep(RECHECK_INTERVAL_S)
        await recheck(site)


async def recheck(site: Site) -> None:
    for person in site.hub.people():
        try:
            await site.learn_again(person)
        except Retryable:
            # What was learnt before is held for seconds; then nothing is allowed.
            continue
    site.hub.recheck()
