"""Sign-ins that are under way: each begun in one browser, and over once it comes back."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.consent.sign_in import session_digest
from countersign.contracts.errors import Rejected
from countersign.gateway.interfaces import Dice
from countersign.gateway.refusals import Refusal

ATTEMPT_S: Final = 600.0
ATTEMPTS_MAX: Final = 10_000
ATTEMPTS_PER_SESSION_MAX: Final = 8  # tabs
RANDOM_BYTES: Final = 32


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One sign-in. Has no repr: its parts must not be shown."""

    session: str
    nonce: str
    verifier: str
    to: str
    until_s: float

    @property
    def challenge(self) -> str:
        return encoded(hashlib.sha256(self.verifier.encode()).digest())

    def __repr__(self) -> str:
        return "Attempt(…)"


class Attempts:
    """Owns those that may still come back.

    Args:
        elapsed: seconds of a clock that never goes back.
        dice: random bytes.

    """

    def __init__(self, *, elapsed: Callable[[], float], dice: Dice) -> None:
        self._elapsed = elapsed
        self._dice = dice
        self._attempts = BoundedDict[str, Attempt](ATTEMPTS_MAX)

    def begin(self, *, session_id: str, to: str) -> tuple[str, Attempt]:
        """A new one, under a state that nobody can guess."""
        state, nonce, verifier = (encoded(self._dice(RANDOM_BYTES)) for _ in range(3))
        attempt = Attempt(
            session=session_digest(session_id),
            nonce=nonce,
            verifier=verifier,
            to=to,
            until_s=self._elapsed() + ATTEMPT_S,
        )
        now_s = self._elapsed()
        self._attempts.discard_while(lambda a: a.until_s < now_s)
        mine = [s for s, a in self._attempts.items() if a.session == attempt.session]
        for oldest in mine[: max(0, len(mine) + 1 - ATTEMPTS_PER_SESSION_MAX)]:
            del self._attempts[oldest]
        self._attempts[state] = attempt
        return state, attempt

    def take(self, state: str, session_id: str) -> Attempt:
        """The sign-in of that state, which is over with this.

        Raises:
            Rejected: `sign_in_state`.

        """
        attempt = self._attempts.pop(state, None)
        if attempt is None or attempt.until_s < self._elapsed():
            raise Rejected(Refusal.SIGN_IN_STATE, "it was used already, or is too old")
        if not hmac.compare_digest(attempt.session, session_digest(session_id)):
            raise Rejected(Refusal.SIGN_IN_STATE, "it was begun in another browser")
        return attempt
