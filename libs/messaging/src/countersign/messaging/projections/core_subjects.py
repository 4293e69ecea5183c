"""Core subjects that nobody stores: what is said there while nobody hears it is lost.

Whoever speaks there is no service of ours, so nothing of it is parsed here.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from nats.aio.msg import Msg

from countersign.messaging.bus import Bus

# Beyond it, messages are dropped by the client, which counts that as an error of the bus.
PENDING_MESSAGES_MAX: Final = 1024
PENDING_BYTES_MAX: Final = 16 * 1024 * 1024


async def hear(bus: Bus, subject: str, *, on_body: Callable[[bytes], None]) -> None:
    """Hand over every body until cancelled; also after the connection was made again.

    Args:
        bus: of a service that may subscribe to it.
        subject: for instance `subjects.FLUX_HINT`.
        on_body: returns at once.

    """

    async def on_message(message: Msg) -> None:
        on_body(message.data)

    subscription = await bus.client.subscribe(
        subject,
        cb=on_message,
        pending_msgs_limit=PENDING_MESSAGES_MAX,
        pending_bytes_limit=PENDING_BYTES_MAX,
    )
    try:
        await asyncio.Event().wait()
    finally:
        if not bus.client.is_closed:
            await subscription.unsubscribe()
