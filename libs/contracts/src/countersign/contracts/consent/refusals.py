"""Reasons for which a request about consent is refused: the words of `Problem.code`."""

from enum import StrEnum


class ConsentRefusal(StrEnum):
    BAD_REQUEST = "bad_request"
    UNKNOWN_PROMOTION = "unknown_promotion"
    NOT_WAITING = "not_waiting"
    """The promotion is at another point of its life."""
    NOT_HEALTHY = "not_healthy"
    """The environment below does not run the content healthily any more."""
    NOT_ALLOWED = "not_allowed"
    """The person has no right to it, or somebody else must do it."""
    REASON_WANTED = "reason_wanted"
    """The Pipeline wants to be told why."""
    LIMIT = "limit"
    """Too much at once; it may be tried again later."""
    REPLAY = "replay"

    STATE_MISMATCH = "state_mismatch"
    """The browser came back with a sign-in that is not this one."""
    SESSION_MISMATCH = "session_mismatch"
    EXPIRED = "expired"
    DENIED = "denied"
    """The person, or the forge, said no."""

    FORGE_NOT_LISTED = "forge_not_listed"
    NO_CLIENT = "no_client"
    """Our registration at the forge is missing or wrong."""
    TOKEN_TOO_LONG_LIVED = "token_too_long_lived"  # noqa: S105 - a reason
    TOKEN_TOO_STRONG = "token_too_strong"  # noqa: S105 - a reason
    DEVICE_FLOW_OFF = "device_flow_off"
    """Nobody signs in by a code there: the forge has no such thing, or its entry says no."""
    CANNOT_WRITE = "cannot_write"
    REFUSED = "refused"

    FORGE_UNAVAILABLE = "forge_unavailable"
    CLUSTER_UNAVAILABLE = "cluster_unavailable"
    BUS_UNAVAILABLE = "bus_unavailable"
    STREAM_REFUSED = "stream_refused"
    """The stream of promotions is full, or its disk is; nothing can be recorded."""
