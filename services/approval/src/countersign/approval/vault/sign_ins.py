"""Sign-ins under way: who was sent to which forge, for what, and the `state` that brings them back.

A `state` is taken once, by the session and person that it was made for. Somebody else's attempt
takes nothing away from them. Nobody is given the `state` of a sign-in by code.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from countersign.approval.model import Consent
from countersign.approval.vault.ciphers import Sealed
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.dialects.delegation.device import UserCode
from countersign.process.clocks import Clocks, Deadline

SIGN_INS_MAX: Final = 2_000
SIGN_INS_PER_PERSON_MAX: Final = 8  # the oldest gives way


@dataclass(frozen=True, kw_only=True)
class SignIn:
    consent: Consent
    # The verifier of the code that comes back, or the device code.
    secret: Sealed
    until: Deadline
    # Of the Pipeline when it began; an edit voids it.
    generation: int = 0
    # What the person types, who is sent nowhere then.
    user_code: UserCode | None = None

    @property
    def by_code(self) -> bool:
        return self.user_code is not None


class SignIns:
    def __init__(self, *, clocks: Clocks) -> None:
        self._clocks = clocks
        self._by_state: dict[bytes, SignIn] = {}

    @property
    def all(self) -> tuple[SignIn, ...]:
        return tuple(self._by_state.values())

    def add(self, state: str, sign_in: SignIn) -> list[SignIn]:
        """Take one in; returns those that give way: for the same promotion, or one too many.

        Raises:
            Rejected: `limit`.

        """
        person_id = sign_in.consent.person.id
        promotion_id = sign_in.consent.promotion.promotion_id
        mine = [(key, s) for key, s in self._by_state.items() if s.consent.person.id == person_id]
        same = [p for p in mine if p[1].consent.promotion.promotion_id == promotion_id]
        others = [p for p in mine if p not in same]
        over = same + others[: max(0, len(others) - SIGN_INS_PER_PERSON_MAX + 1)]
        if len(self._by_state) - len(over) >= SIGN_INS_MAX:
            raise Rejected(
                ConsentRefusal.LIMIT, "too many sign-ins are under way; try again in some minutes"
            )
        for key, _ in over:
            del self._by_state[key]
        self._by_state[_key(state)] = sign_in
        return [gone for _, gone in over]

    def same_as(self, consent: Consent, *, by_code: bool = False) -> SignIn | None:
        """Return the sign-in under way for the same of the same person in the same session."""
        wanted = _subject(consent)
        return next(
            (
                s
                for s in self._by_state.values()
                if _subject(s.consent) == wanted
                and s.by_code == by_code
                and not self._clocks.is_over(s.until)
            ),
            None,
        )

    def rename(self, sign_in: SignIn, state: str) -> None:
        """Let another `state` bring it back, and the earlier one no more."""
        self.remove(lambda s: s is sign_in)
        self._by_state[_key(state)] = sign_in

    def take(self, state: str, *, session: str, person_id: str) -> SignIn:
        """The sign-in, which is used up by that.

        Raises:
            Rejected: `state_mismatch` (unknown, or used before), `session_mismatch`, `expired`.

        """
        sign_in = self._by_state.get(_key(state))
        if sign_in is None:
            raise Rejected(
                ConsentRefusal.STATE_MISMATCH,
                "this sign-in is not known, or was used; start it again",
            )
        owner = sign_in.consent.owner
        if (owner.session, owner.person_id) != (session, person_id):
            raise Rejected(
                ConsentRefusal.SESSION_MISMATCH,
                "this sign-in was started by another session; start it again",
            )
        if self._clocks.is_over(sign_in.until):
            raise Rejected(ConsentRefusal.EXPIRED, "the sign-in took too long; start it again")
        del self._by_state[_key(state)]
        return sign_in

    def find(self, approval_id: str) -> SignIn | None:
        found = (s for s in self._by_state.values() if s.consent.approval_id == approval_id)
        return next(found, None)

    def has(self, sign_in: SignIn) -> bool:
        """Say if it is still under way."""
        return self.find(sign_in.consent.approval_id) is sign_in

    def end(self, sign_in: SignIn) -> bool:
        """Use it up; says no if it had ended before."""
        return bool(self.remove(lambda s: s is sign_in))

    def remove(self, wanted: Callable[[SignIn], bool]) -> list[SignIn]:
        over = [(key, s) for key, s in self._by_state.items() if wanted(s)]
        for key, _ in over:
            del self._by_state[key]
        return [gone for _, gone in over]

    def expire(self) -> list[SignIn]:
        return self.remove(lambda s: self._clocks.is_over(s.until))


def _subject(consent: Consent) -> tuple[object, ...]:
    said = consent.despite_blocked, consent.reason
    return consent.owner, consent.promotion, consent.digest, said


def _key(state: str) -> bytes:
    # A look-up by digest takes no time that depends on how much of a guess was right.
    return hashlib.sha256(state.encode()).digest()
