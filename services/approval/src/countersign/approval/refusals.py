"""The refusals of others in approval's own words: those of `Problem.code`."""

from collections.abc import Mapping
from typing import Final

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.refusals import ContractRefusal
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.kube.refusals import ClusterRefusal
from countersign.messaging.refusals import BusRefusal

OF_DELEGATION: Final[Mapping[DelegationRefusal, ConsentRefusal]] = {
    DelegationRefusal.EXPIRED: ConsentRefusal.EXPIRED,
    DelegationRefusal.DENIED: ConsentRefusal.DENIED,
    DelegationRefusal.NO_CLIENT: ConsentRefusal.NO_CLIENT,
    DelegationRefusal.TOO_LONG_LIVED: ConsentRefusal.TOKEN_TOO_LONG_LIVED,
    DelegationRefusal.TOO_STRONG: ConsentRefusal.TOKEN_TOO_STRONG,
    DelegationRefusal.CANNOT_WRITE: ConsentRefusal.CANNOT_WRITE,
    DelegationRefusal.REFUSED: ConsentRefusal.REFUSED,
    DelegationRefusal.FORGE_UNAVAILABLE: ConsentRefusal.FORGE_UNAVAILABLE,
}
OF_CONTRACTS: Final[Mapping[ContractRefusal, ConsentRefusal]] = {
    reason: ConsentRefusal.FORGE_NOT_LISTED
    if reason is ContractRefusal.FORGE_NOT_LISTED
    else ConsentRefusal.BAD_REQUEST
    for reason in ContractRefusal
}


def problem_code(reason: str) -> ConsentRefusal:
    """Return the word that a caller is answered with.

    Raises:
        TypeError: a reason of nobody that we call, which is a bug.

    """
    match reason:
        case ConsentRefusal():
            return reason
        case DelegationRefusal():
            return OF_DELEGATION[reason]
        case ContractRefusal():
            return OF_CONTRACTS[reason]
        case ClusterRefusal():
            return ConsentRefusal.CLUSTER_UNAVAILABLE
        case BusRefusal.STREAM_REFUSED | BusRefusal.NO_STREAM:
            return ConsentRefusal.STREAM_REFUSED
        case BusRefusal():
            return ConsentRefusal.BUS_UNAVAILABLE
        case _:
            raise TypeError(f"{reason!r} is not a refusal of approval")
