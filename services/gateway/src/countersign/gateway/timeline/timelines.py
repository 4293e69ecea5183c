"""The past of one promotion: its state, its moments, and the decisions of people.

Pure: `fold` takes what is known and one event, and gives what is known after it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalRevoked,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestUpdated,
)
from countersign.contracts.promotion import Promotion, State
from countersign.contracts.record import attempts
from countersign.contracts.record.attempts import PromotionRecord
from countersign.contracts.record.decisions import Decisions, Heard, Outcome, find
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.timeline.moments import Moment, moment_of

MOMENTS_MAX: Final = 200  # a promotion tried a dozen times has about a hundred


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A promotion with its history."""

    record: PromotionRecord
    moments: tuple[Moment, ...] = ()
    checks: str = ""
    checked_at: datetime | None = None
    pull_request_ended: bool = False
    traceparent: str = ""

    @property
    def promotion(self) -> Promotion:
        return self.record.promotion

    @property
    def decisions(self) -> Decisions:
        return self.record.decisions

    @property
    def sequence(self) -> int:
        """Place in the stream at which it began; later ones follow."""
        return self.record.sequence

    @property
    def promotion_id(self) -> str:
        return self.promotion.promotion_id

    @property
    def gate_key(self) -> GateKey:
        ref = self.promotion.request.promotion
        return GateKey(PipelineKey(ref.pipeline.namespace, ref.pipeline.name), ref.environment)

    @property
    def ready_at(self) -> datetime | None:
        """The time from which this attempt has been waiting for somebody."""
        kinds = {"requested", "retried"}
        found = (m.at for m in reversed(self.moments) if m.kind in kinds)
        return next(found, self.promotion.request.requested_at)

    def last(self, kind: str) -> datetime | None:
        """Return the time of the last moment of that kind."""
        return next((m.at for m in reversed(self.moments) if m.kind == kind), None)

    @property
    def only_a_sign_in_ended(self) -> bool:
        """Tell whether nothing was lost but sign-ins: nobody had approved."""
        ended = [
            d
            for d in self.decisions
            if d.attempt == self.promotion.attempt and d.outcome in {Outcome.EXPIRED, Outcome.LOST}
        ]
        return bool(ended) and all(d.forge_user is None for d in ended)

    @property
    def is_left_open(self) -> bool:
        """Tell whether it was overtaken while its pull request can still be merged."""
        overtaken = self.promotion.state is State.SUPERSEDED
        has_one = self.promotion.pull_request is not None and not self.promotion.merged
        return overtaken and has_one and not self.pull_request_ended

    @property
    def trace_id(self) -> str:
        return self.record.trace_id

    @property
    def carrier(self) -> dict[str, str]:
        return {"traceparent": self.traceparent} if self.traceparent else {}


def fold(timeline: Timeline | None, event: Message, heard: Heard) -> Timeline | None:
    """The timeline after the event; the same object when the event changes nothing."""
    known = timeline.record if timeline else None
    record = attempts.fold(known, event, heard)
    if record is None:
        return None
    if timeline is None:
        timeline = Timeline(record=record, traceparent=heard.traceparent)
    before, after = known.promotion if known else None, record.promotion
    timeline = _remember(timeline, event, heard)
    if record is not timeline.record:
        timeline = replace(timeline, record=record)
    if after is before and not _is_news(known, event):
        return timeline
    if before is not None and after.attempt > before.attempt:
        timeline = replace(timeline, pull_request_ended=False, checks="")
    moments = (*timeline.moments, moment_of(event, after, heard))[-MOMENTS_MAX:]
    return replace(timeline, moments=moments)


def _is_news(record: PromotionRecord | None, event: Message) -> bool:
    """Tell whether the end of a token, which changes no state, was not told before."""
    if record is None or not isinstance(event, ApprovalRevoked):
        return False
    found = find(record.decisions, event.approval_id)
    return found is None or found.delegation is None or found.delegation.end is not event.outcome


def _remember(timeline: Timeline, event: Message, heard: Heard) -> Timeline:
    """Facts that hold whatever the state is."""
    if isinstance(event, PullRequestUpdated):
        return _checked(timeline, event, heard)
    if isinstance(event, PullRequestMerged | PullRequestClosed) and not timeline.pull_request_ended:
        return replace(timeline, pull_request_ended=True)
    return timeline


def _checked(timeline: Timeline, event: PullRequestUpdated, heard: Heard) -> Timeline:
    """The newest that the forge told; for an attempt that is over it says nothing."""
    at = event.updated_at or heard.recorded_at
    stale = timeline.checked_at is not None and at <= timeline.checked_at
    if stale or max(1, event.promotion.attempt) != timeline.promotion.attempt:
        return timeline
    return replace(timeline, checks=event.summary, checked_at=at)
