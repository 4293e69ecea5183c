"""The reasons for which the bus refuses something, or fails for now."""

from enum import StrEnum


class BusRefusal(StrEnum):
    """A failure of the bus. The first group may work later, the last does not."""

    UNAVAILABLE = "bus_unavailable"
    NO_STREAM = "no_stream"
    NO_MAJORITY = "no_majority"
    """Too few servers of the bus run, or know one another, to agree on anything."""
    UNDECIDED = "undecided"
    """The servers of the bus have not agreed yet on what is being stored."""
    NO_RESPONDER = "no_responder"
    TIMEOUT = "timeout"
    LIMIT = "limit"
    BEHIND = "behind"

    # For now, as the server being in trouble, or for good.
    STREAM_REFUSED = "stream_refused"

    EXISTS = "exists"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    STEERED = "steered"
    NEVER_SETTLED = "never_settled"
    INTERNAL = "internal"
    """A bug of whoever handled it."""
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    NOT_SEALED = "not_sealed"
