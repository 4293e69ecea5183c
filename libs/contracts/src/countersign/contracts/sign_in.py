"""What the gateway and the approval service must agree on about a sign-in at a forge."""

import hashlib
from typing import Final

from countersign.contracts import subjects

STATE_CHARACTERS_MAX: Final = 512


def state_for(replica: str, *, random: str) -> str:
    """The OAuth `state`: which replica holds the sign-in, then what nobody can guess."""
    return f"{subjects.encode_free(replica)}.{random}"


def replica_of(state: str) -> str:
    """The replica that `approval.complete` is addressed to; empty if it is no state of ours."""
    replica, dot, random = state.partition(".")
    fits = dot and random and len(state) <= STATE_CHARACTERS_MAX
    return subjects.decode_free(replica) if fits else ""


def session_digest(session_id: str) -> str:
    """How a browser session is named to others: nobody can come back from it to the cookie."""
    return hashlib.sha256(session_id.encode()).hexdigest()
