"""Follows sign-ins by code: asks the forge, at its pace, until the person has typed theirs.

The promotion, the person's right and the Pipeline are looked at again before each question, for
what answers it may be the token.
Source: https://www.rfc-editor.org/rfc/rfc8628#section-3.5
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from countersign.approval.consent.grants import Grants
from countersign.approval.consent.sign_in_flow import SignInFlow
from countersign.approval.consent.spans import in_trace
from countersign.approval.delegation.delegations import Delegations
from countersign.approval.interfaces import Application, Applications
from countersign.approval.model import Consent, refuse_account
from countersign.approval.vault.sign_ins import SignIn
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import ForgeUser
from countersign.contracts.promotion import Promotion
from countersign.dialects.delegation.device import INTERVAL_S_MAX, Pending
from countersign.dialects.delegation.oauth import Delegated
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.attributes import SPAN_COMPLETE_APPROVAL, SPAN_POLL_DEVICE
from countersign.telemetry.logs import get_logger

log = get_logger()

# Where a forge does not answer, the pause grows by this.
_BACK_OFF: Final = 2


@dataclass(frozen=True, kw_only=True)
class DeviceSignIns:
    applications: Applications
    delegations: Delegations
    flow: SignInFlow
    grants: Grants
    # Taken out at once; sign-ins themselves are bounded.
    _begun: asyncio.Queue[tuple[SignIn, float]] = field(default_factory=asyncio.Queue)

    def follow(self, sign_in: SignIn, *, interval_s: float) -> None:
        """Ask about it from now on."""
        self._begun.put_nowait((sign_in, interval_s))

    async def run(self) -> None:
        """Follow all of them until cancelled; those that have ended are no longer asked about."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                sign_in, interval_s = await self._begun.get()
                tasks.create_task(self._follow(sign_in, interval_s))

    async def _follow(self, sign_in: SignIn, pause_s: float) -> None:
        consent, sign_ins = sign_in.consent, self.flow.sign_ins
        application = self.applications.find(consent.destination.origin)
        while True:
            await self.flow.clocks.sleep(pause_s)
            if not sign_ins.has(sign_in):
                return
            with one_entry("ask about codes", approval_id=consent.approval_id):
                try:
                    with in_trace(SPAN_POLL_DEVICE, consent):
                        promotion, answer = await self._ask(application, sign_in)
                except Retryable as error:
                    log.warning("device.unanswered", **consent.names, reason=error.reason)
                    slower_s = min(pause_s * _BACK_OFF, INTERVAL_S_MAX)
                    pause_s = max(slower_s, error.after_s or 0.0)
                    continue
                except Rejected as error:
                    if sign_ins.end(sign_in):
                        await self._fail(consent, error)
                    return
                if isinstance(answer, Pending):
                    pause_s = answer.pause_s(pause_s)
                    continue
                # Whoever signed out meanwhile wants it no more.
                if sign_ins.end(sign_in):
                    await self._complete(application, consent, answer, promotion)
                else:
                    await self.delegations.discard(consent, answer.token)
                return

    async def _ask(
        self, application: Application, sign_in: SignIn
    ) -> tuple[Promotion, Delegated | Pending]:
        promotion = await self.grants.admission.wanted_still(sign_in)
        code = self.flow.cipher.open(sign_in.secret)
        return promotion, await application.oauth.poll_device(code)

    async def _complete(
        self, application: Application, consent: Consent, delegated: Delegated, promotion: Promotion
    ) -> None:
        with in_trace(SPAN_COMPLETE_APPROVAL, consent):
            try:
                job = await self.delegations.keep(
                    application,
                    consent,
                    delegated,
                    refuse=partial(self._refuse, consent, promotion),
                )
                await self.grants.delegated(job)
            except (Rejected, Retryable) as error:
                await self._fail(consent, error)

    def _refuse(self, consent: Consent, promotion: Promotion, account: ForgeUser) -> None:
        """Refuse an account that somebody else used, or other than this person's, if one is known.

        Whoever types a code that was sent around brings such.

        Raises:
            Rejected: `not_allowed`.

        """
        refuse_account(promotion, account)
        origin = consent.destination.origin
        accounts = self.grants.admission.promotions.accounts
        notice = accounts.notice(consent.person, account, origin=origin)
        if notice:
            raise Rejected(
                ConsentRefusal.NOT_ALLOWED,
                f"the code was typed with an account that is not usual here: {notice}; where that "
                "is right, sign in without a code",
            )

    async def _fail(self, consent: Consent, error: Rejected | Retryable) -> None:
        log.warning("approval.failed", **consent.names, reason=error.reason)
        await self.grants.announcements.failed(consent, error)
