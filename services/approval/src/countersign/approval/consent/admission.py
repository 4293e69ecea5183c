"""Lets a person through to a promotion: it is known here, and they may promote into it."""

from dataclasses import dataclass

from countersign.approval.interfaces import Authorizer
from countersign.approval.model import Entry, NotPermitted, refuse_consent
from countersign.approval.promotions.announcements import Announcements
from countersign.approval.promotions.environments import Environments
from countersign.approval.promotions.projection import Promotions
from countersign.approval.vault.sign_ins import SignIn
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.life import advance
from countersign.contracts.messages import Person
from countersign.contracts.promotion import Promotion
from countersign.telemetry.logs import get_logger

log = get_logger()


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Looks a promotion up for somebody; refuses what they may not, or should not now."""

    promotions: Promotions
    environments: Environments
    authorizer: Authorizer
    announcements: Announcements

    async def entry(self, promotion_id: str, person: Person) -> Entry:
        """Return the promotion.

        Raises:
            Rejected: `unknown_promotion`.
            NotPermitted: the person may not promote into its environment.
            Retryable: `cluster_unavailable`.

        """
        entry = await self.promotions.get(promotion_id)
        await self.authorizer.refuse(person, entry.promotion)
        return entry

    def count(self, entry: Entry, person: Person) -> None:
        """Count something that is about to be recorded for good.

        Raises:
            Retryable: `limit`; the person does so too often.

        """
        self.promotions.pace.take(person.id, entry.promotion.promotion_id)

    async def wanted_still(self, sign_in: SignIn) -> Promotion:
        """Return the promotion that a person signed in for, if all is as when they began.

        Raises:
            Rejected: `not_waiting`, `not_healthy`, or as `entry`.
            Retryable: as `entry`.

        """
        consent = sign_in.consent
        promotion_id = consent.promotion.promotion_id
        promotion = (await self.entry(promotion_id, consent.person)).promotion
        refuse_consent(promotion, consent.person)
        if promotion.attempt != consent.attempt:
            raise Rejected(ConsentRefusal.NOT_WAITING, "another attempt was begun meanwhile")
        generation = self.environments.generation(consent.promotion.pipeline)
        if generation != sign_in.generation and sign_in.generation:
            raise Rejected(
                ConsentRefusal.NOT_WAITING,
                "the Pipeline was edited while you signed in; look at the promotion again",
            )
        self.refuse_hindered(promotion, despite_blocked=consent.despite_blocked)
        return promotion

    def refuse_hindered(self, promotion: Promotion, *, despite_blocked: bool) -> None:
        """Refuse what the environment below does not run healthily any more.

        Raises:
            Rejected: `not_healthy`, unless the person knows and wants it all the same.

        """
        hindrance = self.environments.hindrance(promotion)
        if hindrance and not despite_blocked:
            raise Rejected(
                ConsentRefusal.NOT_HEALTHY,
                f"not now: {hindrance}; wait until it is well, or confirm that you promote anyway",
            )

    async def without_withdrawn(self, entry: Entry) -> Promotion:
        """Return the promotion without consents of people who may no longer promote.

        Consents that wait for other people's are looked at again when those come.

        Raises:
            Retryable: nobody can be asked, or told.

        """
        promotion = entry.promotion
        for approval in entry.promotion.granted:
            try:
                await self.authorizer.refuse(approval.by, promotion, fresh=True)
            except NotPermitted:
                who = approval.by.name or approval.by.id
                event = await self.announcements.withdrawn(
                    entry,
                    approval_id=approval.approval_id,
                    reason=f"{who} approved it, but may no longer promote into "
                    f"{promotion.ref.environment}",
                )
                promotion = advance(promotion, event) or promotion
                log.warning(
                    "approval.withdrawn",
                    promotion_id=promotion.promotion_id,
                    approval_id=approval.approval_id,
                )
        return promotion
