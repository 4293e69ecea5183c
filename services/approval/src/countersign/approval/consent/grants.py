"""Records that a person consented, and counts it with the consents of others."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from countersign.approval.consent.admission import Admission
from countersign.approval.delegation.delegations import Delegations
from countersign.approval.model import Consent, Ending, Entry, count_with
from countersign.approval.promotions.announcements import Announcements
from countersign.approval.vault.vault import Job
from countersign.contracts.errors import Rejected, Retryable
from countersign.telemetry.logs import get_logger

log = get_logger()


@dataclass(frozen=True, kw_only=True)
class Grants:
    admission: Admission
    delegations: Delegations
    announcements: Announcements

    async def delegated(self, job: Job) -> None:
        """Grant with what was delegated; if that cannot be told, it is given up."""
        consent, account = job.consent, job.forge_user
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.delegations.give_up, job, Ending.EXPIRED)
            promotions = self.admission.promotions
            entry = await promotions.get(consent.promotion.promotion_id)
            promotion = await self.admission.without_withdrawn(entry)
            count = count_with(promotion, consent, account=account)
            notice = promotions.accounts.notice(
                consent.person, account, origin=consent.destination.origin
            )
            await self.announcements.granted(job, count, notice=notice)
            undo.pop_all()
        if notice:
            log.warning("approval.account_unusual", **consent.names, forge_user_id=account.id)
        log.info(
            "approval.granted",
            **consent.names,
            forge_user_id=account.id,
            count=count.count,
            needed=count.needed,
        )

    async def delegated_before(self, job: Job) -> None:
        """Grant with what the person delegated earlier; nobody is at the forge to be told why not.

        Raises:
            Rejected, Retryable: it could not be granted, and the consent has ended.

        """
        try:
            await self.delegated(job)
        except (Rejected, Retryable) as error:
            await self.announcements.failed(job.consent, error)
            raise

    async def stored(self, entry: Entry, consent: Consent) -> None:
        """Grant with the stored or the App's credential that the Pipeline names."""
        promotion = await self.admission.without_withdrawn(entry)
        count = count_with(promotion, consent, account=None)
        mode = entry.promotion.request.mode
        await self.announcements.approved(consent, mode=mode, count=count)
        log.info("approval.granted", **consent.names, count=count.count, needed=count.needed)
