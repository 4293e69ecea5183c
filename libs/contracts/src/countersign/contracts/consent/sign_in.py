"""The names that the gateway and approval must agree on during a sign-in at a forge."""

import hashlib
from typing import Final

STATE_CHARACTERS_MAX: Final = 512


def state_for(replica: str, *, random: str) -> str:
    """The OAuth `state`: which replica holds the sign-in, then what nobody can guess."""
    if "." in random:
        raise ValueError("the random part must not hold the separator")
    return f"{replica}.{random}"


def replica_of(state: str) -> str:
    """The replica that `approval.complete` is addressed to; empty if it is no state of ours."""
    replica, _, random = state.rpartition(".")
    return replica if random and len(state) <= STATE_CHARACTERS_MAX else ""


def person_digest(person_id: str) -> str:
    """Name a person to others; the id can only be guessed from it."""
    return hashlib.sha256(b"countersign.person:" + person_id.encode()).hexdigest()


def session_digest(session_id: str) -> str:
    """Name a browser session to others; the cookie cannot be found from it."""
    return hashlib.sha256(session_id.encode()).hexdigest()
