"""The gateway's clockwork: people with open pages have their rights asked about again."""

from typing import Final

from countersign.contracts.errors import Retryable
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.interfaces import Pause
from countersign.gateway.live.hub import Hub
from countersign.telemetry.logs import get_logger

log = get_logger()

# Well before what was learnt is no longer believed.
RECHECK_INTERVAL_S: Final = 15.0


async def recheck_rights(visibility: Visibility, hub: Hub, *, pause: Pause) -> None:
    """Take rights that were taken away from open pages, too, until cancelled."""
    while True:
        await pause(RECHECK_INTERVAL_S)
        await recheck(visibility, hub)


async def recheck(visibility: Visibility, hub: Hub) -> None:
    for person in hub.people():
        try:
            await visibility.learn_again(person)
        except Retryable:
            # What was learnt before is held for seconds; then nothing is allowed.
            continue
    hub.recheck()
