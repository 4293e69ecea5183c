"""Seals what the stream holds since the last seal."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from countersign.contracts.errors import Rejected
from countersign.contracts.record.chain import BEGINNING, Seal, StoredEvent, link
from countersign.messaging.leader_reads import StreamState
from countersign.setup.refusals import SetupRefusal


def next_sequence(last: Seal | None, state: StreamState) -> int:
    """Return the first event that is not sealed yet.

    Raises:
        Rejected: `dropped`; it is not in the stream any more.

    """
    if last is None or last.stream != state.created.isoformat():
        return state.first_sequence
    first = last.sequence + 1
    if state.first_sequence > first:
        raise Rejected(
            SetupRefusal.DROPPED,
            f"events {first} to {state.first_sequence - 1} were dropped before they were sealed; "
            "begin another file of seals, and keep this one with the archive of those events",
        )
    return first


async def seal(
    events: AsyncIterator[StoredEvent],
    *,
    last: Seal | None,
    state: StreamState,
    key: Ed25519PrivateKey,
    now: datetime,
) -> Seal | None:
    """Seal the events that follow the last seal; none where there are none.

    Raises:
        Rejected: `dropped`; one is missing between them.

    """
    goes_on = last if last and last.stream == state.created.isoformat() else None
    chain = bytes.fromhex(goes_on.chain) if goes_on else BEGINNING
    first = reached = 0
    async for event in events:
        if reached and event.sequence != reached + 1:
            raise Rejected(SetupRefusal.DROPPED, f"event {reached + 1} is missing in the stream")
        first, reached = first or event.sequence, event.sequence
        chain = link(chain, event)
    if not reached:
        return None
    unsigned = Seal(
        stream=state.created.isoformat(),
        first=goes_on.first if goes_on else first,
        sequence=reached,
        chain=chain.hex(),
        before=last.digest if last else "",
        sealed_at=now.isoformat(),
    )
    return replace(unsigned, signature=key.sign(unsigned.signed_bytes()).hex())
