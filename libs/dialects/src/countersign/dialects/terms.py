"""The terms on which a person delegates at a forge, as they are told beforehand. Pure."""

from dataclasses import dataclass

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.dialects.capabilities import Reach, Revoker
from countersign.dialects.delegation.fitness import refuse_unaccepted
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.kinds import kind_of


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The fate of the token that a person delegates.

    Args:
        reach: how far the token reaches, at its narrowest.
        minutes: it is held at most.
        revoked: whether it is ended at the forge after its use; else it is forgotten, and ends by
            itself within hours.
        refusal: the reason that nobody is sent there; none where people are.

    """

    reach: Reach
    minutes: int
    revoked: bool
    refusal: DelegationRefusal | None = None


def terms_of(forge: Forge) -> Terms:
    """Return the terms at a forge, by what its kind can do and what the administrator accepted."""
    capabilities = kind_of(forge).capabilities
    return Terms(
        reach=capabilities.reach,
        minutes=forge.minutes,
        revoked=capabilities.revoked_by is not Revoker.NOBODY,
        refusal=_refusal(forge),
    )


def _refusal(forge: Forge) -> DelegationRefusal | None:
    row = kind_of(forge)
    if row.oauth is None or not forge.client_id:
        return DelegationRefusal.NO_CLIENT
    try:
        refuse_unaccepted(row.capabilities, forge)
    except Rejected:
        return DelegationRefusal.TOO_STRONG
    return None
