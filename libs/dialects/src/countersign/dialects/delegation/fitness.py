"""The rule of which tokens are taken: not too long-lived, not too strong."""

from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.dialects.capabilities import Capabilities
from countersign.dialects.delegation.oauth import Delegated, OAuthDialect
from countersign.dialects.delegation.refusals import DelegationRefusal

# "About eight hours", which is what the longest of those that end live, and what clocks and
# networks add to it.
LIFETIME_S_MAX: Final = 8 * 3600 + 600


def refuse_unaccepted(capabilities: Capabilities, forge: Forge) -> None:
    """Refuse to ask for a token that reaches further than the administrator accepted.

    Raises:
        Rejected: `token_too_strong`.

    """
    if capabilities.wants_acceptance and forge.broad_tokens != "accept":
        raise Rejected(
            DelegationRefusal.TOO_STRONG,
            f"{forge.name} gives no token for less than all that a person may change there, and "
            "its entry on the forge list does not accept that; the administrator can set "
            "broadTokens: accept",
        )


def refuse_unfit(delegated: Delegated, dialect: OAuthDialect, *, forge: Forge) -> None:
    """Refuse a token that lives too long or may do too much, by what the forge told.

    Raises:
        Rejected: `token_too_long_lived`, `token_too_strong`.

    """
    _refuse_long_lived(delegated.expires_in_s, advice=dialect.advice, where=forge.name)
    if dialect.scopes is None:
        return
    scopes, asked = delegated.scopes, dialect.scopes(forge)
    # None at all is everything, at forges that have scopes.
    if not scopes or not scopes <= asked:
        raise Rejected(
            DelegationRefusal.TOO_STRONG,
            f"{forge.name} gave a token that may do more than was asked for "
            f"({' '.join(sorted(asked))}); take the application away in your settings "
            "there and promote again",
        )


def _refuse_long_lived(seconds: int | None, *, advice: str, where: str) -> None:
    if seconds is None:
        raise Rejected(
            DelegationRefusal.TOO_LONG_LIVED,
            f"{where} gave a token that does not expire" + (f"; {advice}" if advice else ""),
        )
    if not 0 < seconds <= LIFETIME_S_MAX:
        raise Rejected(
            DelegationRefusal.TOO_LONG_LIVED,
            f"{where} gave a token for {seconds} s, at most {LIFETIME_S_MAX} s are accepted",
        )


def lifetime_s(delegated: Delegated, *, minutes: int) -> float:
    """Return how long a token that is fit is kept: the administrator's minutes at most.

    One whose end is not told is kept as long as any other; `refuse_unfit` has refused those that
    have none.
    """
    told_s = delegated.expires_in_s
    return minutes * 60 if told_s is None else min(minutes * 60, told_s)
