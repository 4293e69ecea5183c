"""Delegations that are alive: whose, for which promotion, and for how long. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countersign.contracts.messages import (
    Destination,
    ForgeUser,
    Person,
    RevocationOutcome,
)
from countersign.contracts.record.decisions import Decision, Outcome
from countersign.dialects.kinds import KINDS
from countersign.gateway.model import GateKey
from countersign.gateway.timeline.timelines import Timeline

# As `approval.revoked` says that a job is done.
_USED: Final = "used"


@dataclass(frozen=True, kw_only=True)
class LiveDelegation:
    """A token that somebody delegated and nobody has ended yet."""

    gate: GateKey
    promotion_id: str
    by: Person
    forge_user: ForgeUser | None
    destination: Destination
    expires_at: datetime
    # The forge cut it down to the one repository.
    narrowed: bool
    # The forge can end it; else it is forgotten, and ends by itself.
    revocable: bool
    # Its pull request is open; the person's own token waits in memory for another approval.
    used: bool


def live_delegations(timelines: Iterable[Timeline], *, now: datetime) -> list[LiveDelegation]:
    """Return those that last, the first to end first."""
    found = (
        _live(timeline, decision, now=now)
        for timeline in timelines
        for decision in timeline.decisions
    )
    return sorted((d for d in found if d is not None), key=lambda d: d.expires_at)


def _live(timeline: Timeline, decision: Decision, *, now: datetime) -> LiveDelegation | None:
    held = decision.delegation
    if decision.outcome is not Outcome.GRANTED or held is None:
        return None
    ended = held.end is not RevocationOutcome.UNSPECIFIED
    # Where the forge narrows, what was used is a child; the person's own token is kept on.
    used = ended and held.narrowed and held.end_reason == _USED
    if held.expires_at is None or held.expires_at <= now or (ended and not used):
        return None
    to = timeline.promotion.request.destination
    row = KINDS.get(to.kind)
    return LiveDelegation(
        gate=timeline.gate_key,
        promotion_id=timeline.promotion_id,
        by=decision.by,
        forge_user=held.forge_user,
        destination=to,
        expires_at=held.expires_at,
        narrowed=held.narrowed,
        revocable=row is None or row.capabilities.revocable,
        used=used,
    )
