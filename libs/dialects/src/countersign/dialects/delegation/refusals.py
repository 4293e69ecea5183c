"""Reasons for which a delegation is refused, as `Problem.code` has them."""

from enum import StrEnum


class DelegationRefusal(StrEnum):
    EXPIRED = "expired"
    """The code is no longer valid, or what was delegated is over."""
    DENIED = "denied"
    """The person, or the forge, said no."""
    NO_CLIENT = "no_client"
    """Our registration at the forge is missing or wrong."""
    TOO_LONG_LIVED = "token_too_long_lived"
    TOO_STRONG = "token_too_strong"
    CANNOT_WRITE = "cannot_write"
    """The person may not write to the repository."""
    REFUSED = "refused"
    """The forge did not end the token."""
    FORGE_UNAVAILABLE = "forge_unavailable"
