"""Spans of a consent, in the trace of its promotion."""

from contextlib import AbstractContextManager

from countersign.approval.model import Consent
from countersign.telemetry.attributes import APPROVAL_ID, PROMOTION_ID
from countersign.telemetry.tracing import carrier, span


def in_trace(name: str, consent: Consent) -> AbstractContextManager[object]:
    attributes = {
        PROMOTION_ID: consent.promotion.promotion_id,
        APPROVAL_ID: consent.approval_id,
    }
    return span(name, parent=consent.trace, links=[carrier()], attributes=attributes)
