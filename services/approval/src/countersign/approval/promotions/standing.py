"""Consents that wait for other people's are looked at again when those come."""

from countersign.approval.interfaces import Authorizer
from countersign.approval.model import Entry, NotPermitted
from countersign.approval.promotions.announcing import Announcements
from countersign.contracts.life import advance
from countersign.contracts.promotion import Promotion
from countersign.telemetry.logs import get_logger

log = get_logger()


async def drop_withdrawn(
    entry: Entry, *, authorizer: Authorizer, announcements: Announcements
) -> Promotion:
    """The promotion without the consents of people who may no longer promote, which is told.

    Raises:
        Retryable: nobody can be asked, or told.

    """
    promotion = entry.promotion
    for approval in entry.promotion.granted:
        try:
            await authorizer.refuse(approval.by, promotion, fresh=True)
        except NotPermitted:
            who = approval.by.name or approval.by.id
            event = await announcements.withdrawn(
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
