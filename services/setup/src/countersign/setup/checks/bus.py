"""The bus is tried: it takes our key, and has the streams."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.leader_reads import StreamState, stream_state
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.permissions import TOPOLOGY
from countersign.messaging.topology.streams import STREAMS
from countersign.setup.checks.model import Fault, Finding, Subject

CONNECT_S: Final = 15.0
# Beyond it somebody should look; the alert rules say the same.
FULL_SHARE: Final = 0.8
_REFUSALS: Final = ("authorization", "authentication")


async def check_bus(settings: BusSettings) -> AsyncIterator[Finding]:
    """Connect as the user that manages streams, and ask for each of them."""
    state = ConnectionState("check")
    where = settings.nats_url
    try:
        async with asyncio.timeout(CONNECT_S):
            client = await connect(settings, service=TOPOLOGY, state=state)
    except (TimeoutError, Retryable):
        yield judge_connection(where, state.reason() or "no answer")
        return
    try:
        yield Finding(subject=Subject.BUS, name=where, detail="takes our key")
        for stream in STREAMS:
            yield await judge_stream(stream, stream_state(client, stream))
    finally:
        await close(client, state)


def judge_connection(where: str, reason: str) -> Finding:
    """Tell a bus that is not there from one that does not know us."""
    # The server's own words, which are its protocol: `-ERR 'Authorization Violation'`.
    refused = any(word in reason.lower() for word in _REFUSALS)
    fault = Fault.KEY_REFUSED if refused else Fault.UNREACHABLE
    return Finding(subject=Subject.BUS, name=where, fault=fault, detail=reason)


async def judge_stream(stream: str, asked: Awaitable[StreamState]) -> Finding:
    """Say whether a stream is there, and has room."""
    try:
        state = await asked
    except (Rejected, Retryable) as error:
        missing = error.reason == BusRefusal.NO_STREAM
        fault = Fault.STREAM_MISSING if missing else Fault.UNREACHABLE
        return Finding(subject=Subject.STREAM, name=stream, fault=fault, detail=error.message)
    full = state.bytes_max > 0 and state.bytes_stored > FULL_SHARE * state.bytes_max
    share = state.bytes_stored / state.bytes_max if state.bytes_max > 0 else 0.0
    return Finding(
        subject=Subject.STREAM,
        name=stream,
        fault=Fault.STREAM_FULL if full else None,
        detail=f"{share:.0%} full",
    )
