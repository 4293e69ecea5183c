"""The bus is tried: it takes a user's key, has the streams, and tells of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

from countersign.checks.model import Fault, Finding, Subject
from countersign.checks.words import trust_hint
from countersign.contracts.errors import Rejected, Retryable
from countersign.messaging.connection import Trial, close, connect
from countersign.messaging.leader_reads import StreamState, stream_state
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.streams import READS
from countersign.process.faults.connections import ConnectionFault
from countersign.telemetry.redaction import redact

CONNECT_S: Final = 15.0
# Beyond it somebody should look; the alert rules say the same.
FULL_SHARE: Final = 0.8
TRUST: Final = "COUNTERSIGN_NATS_CA_FILE"
_REFUSALS: Final = ("authorization", "authentication")

# What the bus refused on this connection, or nothing.
Refused = Callable[[], str | None]


async def check_own_bus(settings: BusSettings, *, service: str) -> AsyncIterator[Finding]:
    """Try the bus as a service that starts: with its key, and the streams it reads."""
    async for finding in check_bus(settings, user=service, streams=READS.get(service, ())):
        yield finding


async def check_bus(
    settings: BusSettings, *, user: str, streams: Iterable[str], connect_s: float = CONNECT_S
) -> AsyncIterator[Finding]:
    """Connect as a user, and ask for each of the streams."""
    trial = Trial(f"{user} check")
    where = redact(settings.nats_url)
    try:
        async with asyncio.timeout(connect_s):
            client = await connect(settings, service=user, state=trial)
    except (TimeoutError, Retryable):
        yield judge_connection(where, trial.reason() or "no answer", fault=trial.fault)
        return
    trial.connected()
    try:
        yield Finding(subject=Subject.BUS, name=where, detail="takes our key")
        for stream in streams:
            yield await judge_stream(stream, stream_state(client, stream), refused=trial.reason)
    finally:
        await close(client, trial)


def judge_connection(
    where: str, reason: str, *, fault: ConnectionFault = ConnectionFault.BROKEN
) -> Finding:
    """Tell a bus that is not there from one that does not know us."""
    # The server's own words, which are its protocol: `-ERR 'Authorization Violation'`.
    refused = any(word in reason.lower() for word in _REFUSALS)
    found = Fault.KEY_REFUSED if refused else Fault(fault)
    return Finding(
        subject=Subject.BUS, name=where, fault=found, detail=reason, hint=trust_hint(found, TRUST)
    )


async def judge_stream(
    stream: str, asked: Awaitable[StreamState], *, refused: Refused = lambda: None
) -> Finding:
    """Say whether a stream is there, may be asked about, and has room."""
    try:
        state = await asked
    except (Rejected, Retryable) as error:
        return Finding(
            subject=Subject.STREAM,
            name=stream,
            fault=_fault(stream, error, refused() or ""),
            detail=error.message,
        )
    full = state.bytes_max > 0 and state.bytes_stored > FULL_SHARE * state.bytes_max
    share = state.bytes_stored / state.bytes_max if state.bytes_max > 0 else 0.0
    return Finding(
        subject=Subject.STREAM,
        name=stream,
        fault=Fault.STREAM_FULL if full else None,
        detail=f"{share:.0%} full",
    )


def _fault(stream: str, error: Rejected | Retryable, refused: str) -> Fault:
    # A server does not answer what may not be asked; it names the subject on the side.
    if refused.lower().rstrip("\"'").endswith(f".{stream.lower()}"):
        return Fault.PERMISSION_MISSING
    known = {
        BusRefusal.NO_STREAM: Fault.STREAM_MISSING,
        BusRefusal.NO_MAJORITY: Fault.NO_MAJORITY,
    }
    return next((f for reason, f in known.items() if reason == error.reason), Fault.UNREACHABLE)
