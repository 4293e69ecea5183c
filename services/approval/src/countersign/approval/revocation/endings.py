"""Ends of delegations that people, time or this process bring about before an outcome does."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countersign.approval.model import Consent, Ending, is_carried_by
from countersign.approval.promotions.announcements import Announcements
from countersign.approval.promotions.projection import Promotions
from countersign.approval.revocation.revocations import Revocations
from countersign.approval.vault.sign_ins import SignIns
from countersign.approval.vault.vault import Vault
from countersign.contracts.errors import Retryable
from countersign.contracts.messages import ExpiryCause
from countersign.process.clocks import Clocks
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger

log = get_logger()

# An executor that holds a token is given a moment to finish before the token is ended.
OUTCOME_WAIT_S: Final = 3.0
REVOKING_S_MAX: Final = 10.0
ANNOUNCING_S_MAX: Final = 2.0
_LOOK_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Endings:
    replica: str
    promotions: Promotions
    vault: Vault
    sign_ins: SignIns
    revocations: Revocations
    announcements: Announcements
    clocks: Clocks

    async def expire(self) -> None:
        # Tokens first: whatever is wrong with an entry, nothing outlives its time.
        await self.revocations.add(*self.vault.expire())
        over = [(s.consent, ExpiryCause.UNFINISHED) for s in self.sign_ins.expire()]
        for job in self.vault.due():
            spent = self.vault.end(job.consent.approval_id, Ending.EXPIRED)
            await self.revocations.add(*spent)
            over.append((job.consent, ExpiryCause.UNUSED))
        for consent, cause in over:
            with one_entry("expire consents", approval_id=consent.approval_id):
                await self._announce(consent, cause)

    async def end_sessions(self, person_id: str, *, before: datetime) -> None:
        """Tell every gateway that no session of the person from before is of use."""
        await self.announcements.sessions_ended(person_id, before=before)

    async def sign_out(self, *, person_id: str, session: str, promotion_id: str = "") -> int:
        """End what a person delegated, in one session or in all; returns how many tokens.

        For one promotion only the sign-ins end: whoever has approved can reject.
        """
        gone = self.sign_ins.remove(
            lambda s: (
                s.consent.person.id == person_id
                and session in {"", s.consent.session}
                and promotion_id in {"", s.consent.promotion.promotion_id}
            )
        )
        if promotion_id:
            for sign_in in gone:
                await self._announce(sign_in.consent, ExpiryCause.UNFINISHED)
            return 0
        spent, jobs = self.vault.end_all(Ending.SIGNED_OUT, person_id=person_id, session=session)
        await self.revocations.add(*spent)
        for consent in [*(s.consent for s in gone), *(j.consent for j in jobs)]:
            with one_entry("sign out", approval_id=consent.approval_id):
                await self._announce(consent, ExpiryCause.SIGNED_OUT)
        log.info("delegations.signed_out", count=len(spent))
        return len(spent)

    async def withdraw(self, *, person_id: str, promotion_id: str) -> int:
        """End what a person delegated for one promotion; returns how many tokens."""
        spent, jobs = self.vault.end_for(promotion_id, person_id=person_id, reason=Ending.WITHDRAWN)
        await self.revocations.add(*spent)
        for job in jobs:
            with one_entry("withdraw delegations", approval_id=job.consent.approval_id):
                await self._announce(job.consent, ExpiryCause.WITHDRAWN)
        log.info("delegations.withdrawn", count=len(spent))
        return len(spent)

    async def await_outcomes(self) -> None:
        """Give executors that hold a token a moment; the news must still be read meanwhile."""
        deadline_s = self.clocks.monotonic() + OUTCOME_WAIT_S
        while any(job.redeemed for job in self.vault.jobs):
            if self.clocks.monotonic() >= deadline_s:
                return
            await self.clocks.sleep(_LOOK_S)

    async def shut_down(self) -> None:
        """Leave nothing alive: revoke all, and say that what waited for us waits for nobody."""
        sign_ins = self.sign_ins.remove(lambda _: True)
        spent, jobs = self.vault.end_all(Ending.SHUT_DOWN)
        await self.revocations.add(*spent)
        try:
            async with asyncio.timeout(ANNOUNCING_S_MAX):
                for consent in [*(s.consent for s in sign_ins), *(j.consent for j in jobs)]:
                    with one_entry("shut down", approval_id=consent.approval_id):
                        await self._announce_lost(consent)
        except (TimeoutError, Retryable):
            # Another replica, or our successor, finds nobody here and tells it.
            log.warning("shutdown.untold")
        left = await self.revocations.finish(seconds_max=REVOKING_S_MAX)
        log.info("shutdown.revoked", count=len(spent) - left, left=left)

    async def _announce(self, consent: Consent, cause: ExpiryCause) -> None:
        if self._is_awaited(consent):
            await self.announcements.expired(consent, cause)

    async def _announce_lost(self, consent: Consent) -> None:
        entry = self.promotions.find(consent.promotion.promotion_id)
        if entry and self._is_awaited(consent):
            await self.announcements.lost(
                entry, approval_id=consent.approval_id, replica=self.replica
            )

    def _is_awaited(self, consent: Consent) -> bool:
        """Say if anybody is still told that this approval is under way or carries the rest."""
        entry = self.promotions.find(consent.promotion.promotion_id)
        return entry is not None and is_carried_by(entry.promotion, consent)
