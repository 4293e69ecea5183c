"""Decisions that need no account at a forge: approving, rejecting, asking again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from countersign.approval.consent.admission import Admission
from countersign.approval.consent.grants import Grants
from countersign.approval.consent.spans import in_trace
from countersign.approval.interfaces import Applications
from countersign.approval.model import (
    Said,
    reason_given,
    refuse_consent,
    refuse_plain_approval,
    refuse_rejection,
    refuse_retry,
)
from countersign.approval.promotions.announcements import Announcements
from countersign.contracts.messages import Person
from countersign.telemetry.attributes import SPAN_COMPLETE_APPROVAL
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import carrier, span

log = get_logger()


@dataclass(frozen=True, kw_only=True)
class Decisions:
    admission: Admission
    applications: Applications
    grants: Grants
    announcements: Announcements
    new_id: Callable[[], str]
    now: Callable[[], datetime]

    async def approve(
        self, promotion_id: str, person: Person, *, reason: str = "", despite_blocked: bool = False
    ) -> str:
        """Let the credential that the Pipeline names open the pull request."""
        entry = await self.admission.entry(promotion_id, person)
        refuse_consent(entry.promotion, person)
        refuse_plain_approval(entry.promotion)
        text = reason_given(entry.promotion, reason)
        self.admission.refuse_hindered(entry.promotion, despite_blocked=despite_blocked)
        self.admission.count(entry, person)
        consent = entry.consent(
            approval_id=self.new_id(),
            person=person,
            session="",
            merges_itself=self.applications.merges_itself(entry.promotion.request),
            said=Said(reason=text, despite_blocked=despite_blocked),
        )
        with in_trace(SPAN_COMPLETE_APPROVAL, consent):
            await self.grants.stored(entry, consent)
        return consent.approval_id

    async def reject(self, promotion_id: str, person: Person, *, reason: str) -> None:
        entry = await self.admission.entry(promotion_id, person)
        refuse_rejection(entry.promotion, now=self.now())
        text = reason_given(entry.promotion, reason)
        self.admission.count(entry, person)
        with span("reject promotion", parent=entry.trace, links=[carrier()]):
            await self.announcements.rejected(entry.promotion.ref, by=person, reason=text)
        log.info("approval.rejected", promotion_id=promotion_id)

    async def retry(self, promotion_id: str, person: Person) -> int:
        """Begin the next attempt; returns its number."""
        entry = await self.admission.entry(promotion_id, person)
        refuse_retry(entry.promotion, now=self.now())
        self.admission.count(entry, person)
        with span("retry promotion", parent=entry.trace, links=[carrier()]):
            attempt = await self.announcements.retried(entry, by=person)
        log.info("promotion.retried", promotion_id=promotion_id, attempt=attempt)
        return attempt
