"""Proves who asks for a redemption: one of our pr-writers, now, and for the first time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from countersign.approval.delegation.signatures import Writers
from countersign.approval.interfaces import Caller, Clock
from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.consent.redemption import NONCE_BYTES, PUBLIC_KEY_BYTES
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import RedeemRequest
from countersign.contracts.subjects import inbox_prefix

FRESH_S_MAX: Final = 30
# Older ones are refused for their age, in either direction of a clock's error.
NONCES_KEPT_S: Final = 2 * FRESH_S_MAX
NONCES_MAX: Final = 20_000
CALLER: Final = "pr-writer"


class Nonces:
    """Those of the last minute, each taken once."""

    def __init__(self, *, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._seen: BoundedDict[bytes, float] = BoundedDict(NONCES_MAX)

    def take(self, nonce: bytes) -> None:
        """Use it up.

        Raises:
            Rejected: `replay`, `limit`.

        """
        now_s = self._monotonic_s()
        self._seen.discard_while(lambda at_s: at_s < now_s - NONCES_KEPT_S)
        if nonce in self._seen:
            raise Rejected(ConsentRefusal.REPLAY, "the nonce was used before")
        if len(self._seen) >= NONCES_MAX:
            raise Rejected(ConsentRefusal.LIMIT, "too many redemptions in a minute")
        self._seen[nonce] = now_s


@dataclass(frozen=True, kw_only=True)
class Proofs:
    replica: str
    writers: Writers
    nonces: Nonces
    now: Clock

    def check(self, request: RedeemRequest, caller: Caller) -> None:
        """Let through what a known writer asks of this replica, once.

        Raises:
            Rejected: `bad_request`, `not_allowed`, `replay`, `limit`.

        """
        refuse_malformed(request, caller, replica=self.replica)
        self.writers.refuse_forged(request)
        refuse_stale(request, now=self.now())
        self.nonces.take(request.nonce)


def refuse_malformed(request: RedeemRequest, caller: Caller, *, replica: str) -> None:
    """Refuse what is not meant for this replica or whose answer would go elsewhere.

    Raises:
        Rejected: `bad_request`, `not_allowed`.

    """
    sizes = len(request.public_key), len(request.nonce)
    if sizes != (PUBLIC_KEY_BYTES, NONCE_BYTES) or request.replica != replica:
        raise Rejected(
            ConsentRefusal.BAD_REQUEST, f"the redemption is not one for replica {replica!r}"
        )
    own_inbox = request.reply.startswith(f"{inbox_prefix(CALLER)}.")
    if caller.service != CALLER or request.reply != caller.reply or not own_inbox:
        raise Rejected(
            ConsentRefusal.NOT_ALLOWED,
            "the answer would not go to the pr-writer that signed",
        )


def refuse_stale(request: RedeemRequest, *, now: datetime) -> None:
    if abs(now - request.signed_at) > timedelta(seconds=FRESH_S_MAX):
        raise Rejected(
            ConsentRefusal.BAD_REQUEST,
            f"signed more than {FRESH_S_MAX} s ago; check the clocks",
        )
