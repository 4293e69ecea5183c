"""Sends a person to a forge: the browser, which comes back, or the person alone with a code."""

import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from countersign.approval.interfaces import Application
from countersign.approval.model import DEVICE_SIGN_IN_S, SIGN_IN_S, Consent
from countersign.approval.promotions.announcements import Announcements
from countersign.approval.promotions.reasons import declined
from countersign.approval.vault.ciphers import Cipher
from countersign.approval.vault.sign_ins import SignIn, SignIns
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.consent.sign_in import state_for
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import CompleteRequest, ExpiryCause
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.device import DeviceCode, UserCode
from countersign.dialects.delegation.oauth import Challenge, challenge_of
from countersign.process.clocks import Clocks
from countersign.telemetry.logs import get_logger

log = get_logger()

CODE_CHARACTERS_MAX: Final = 1_024
_STATE_BYTES: Final = 32
_VERIFIER_BYTES: Final = 48  # 64 characters; RFC 7636 wants 43 to 128
_ERROR_WORD: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A consent under way: the address that the browser goes to, or a code; none if `granted`."""

    approval_id: str
    authorize_url: str = ""
    expires_at: datetime
    granted: bool = False
    user_code: UserCode | None = None


@dataclass(frozen=True, kw_only=True)
class SignInFlow:
    """Begins sign-ins and finds them again.

    Args:
        random_text: of so many random bytes, fit for an URL.

    """

    replica: str
    sign_ins: SignIns
    cipher: Cipher
    announcements: Announcements
    clocks: Clocks
    random_text: Callable[[int], str]

    def resume(
        self, application: Application, consent: Consent, *, by_code: bool = False
    ) -> Begun | None:
        """Send the person once more for a sign-in that is under way; nothing new is recorded."""
        found = self.sign_ins.same_as(consent, by_code=by_code)
        if found is None:
            return None
        state = self._new_state()
        if not found.by_code:
            self.sign_ins.rename(found, state)
        return self._begun(application, found, state)

    async def send(
        self,
        application: Application,
        consent: Consent,
        *,
        generation: int = 0,
        code: DeviceCode | None = None,
    ) -> tuple[Begun, SignIn]:
        """Begin a sign-in, which ends an earlier one for the same promotion.

        Args:
            application: ours at the forge.
            consent: what the person consents to by coming back.
            generation: of the Pipeline as it was observed last, 0 for never.
            code: begun at the forge, where the person types one instead.

        """
        state = self._new_state()
        secret = code.secret if code else Secret(self.random_text(_VERIFIER_BYTES))
        lasting_s = min(DEVICE_SIGN_IN_S, code.expires_in_s) if code else SIGN_IN_S
        until = self.clocks.deadline(timedelta(seconds=lasting_s))
        sign_in = SignIn(
            consent=consent,
            secret=self.cipher.seal(secret),
            until=until,
            generation=generation,
            user_code=code.shown if code else None,
        )
        # Before anything is told: an entry may not say where people sign in.
        begun = self._begun(application, sign_in, state)
        for gone in self.sign_ins.add(state, sign_in):
            await self.announcements.expired(gone.consent, ExpiryCause.STARTED_AGAIN)
        async with AsyncExitStack() as undo:
            undo.callback(self.sign_ins.remove, lambda s: s is sign_in)
            await self.announcements.begun(consent, until=until.at, by_code=sign_in.by_code)
            undo.pop_all()
        log.info("approval.begun", **consent.names)
        return begun, sign_in

    def _new_state(self) -> str:
        return state_for(self.replica, random=self.random_text(_STATE_BYTES))

    def _begun(self, application: Application, sign_in: SignIn, state: str) -> Begun:
        if sign_in.user_code is not None:
            return Begun(
                approval_id=sign_in.consent.approval_id,
                expires_at=sign_in.until.at,
                user_code=sign_in.user_code,
            )
        verifier = self.cipher.open(sign_in.secret)
        challenge = Challenge(state=state, code_challenge=challenge_of(verifier))
        return Begun(
            approval_id=sign_in.consent.approval_id,
            authorize_url=application.oauth.authorize_url(challenge),
            expires_at=sign_in.until.at,
        )

    def take(self, request: CompleteRequest) -> SignIn:
        """Return the sign-in that the browser came back from, which is used up by that.

        Raises:
            Rejected: `bad_request`, `state_mismatch`, `session_mismatch`, `expired`.

        """
        if request.replica != self.replica or bool(request.code) == bool(request.error):
            raise Rejected(
                ConsentRefusal.BAD_REQUEST,
                "exactly one of code and error comes back from a forge",
            )
        return self.sign_ins.take(
            request.state, session=request.session, person_id=request.person.id
        )


def code_in(request: CompleteRequest, consent: Consent, application: Application) -> Secret:
    """Return the code that the forge gave to the browser.

    Raises:
        Rejected: `state_mismatch` where another forge answered than the one that was asked (RFC
            9207, RFC 9700 §4.4), `denied`, `bad_request`.

    """
    name, slug = application.forge.name, application.forge.slug
    # Each forge has an address of ours to itself, so an honest forge's code never gets to another.
    elsewhere = bool(request.forge) and request.forge != slug
    if elsewhere or (request.iss and request.iss not in application.oauth.issuers):
        raise Rejected(ConsentRefusal.STATE_MISMATCH, f"the answer does not come from {name!r}")
    if request.error:
        word = request.error if _ERROR_WORD.fullmatch(request.error) else ""
        raise Rejected(ConsentRefusal.DENIED, declined(consent, forge=name, word=word))
    if len(request.code) > CODE_CHARACTERS_MAX:
        raise Rejected(ConsentRefusal.BAD_REQUEST, "the code is too long")
    return Secret(request.code)
