"""The past of one promotion: its state, its moments, and the decisions of people.

Pure: `fold` takes what is known and one event, and gives what is known after it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    ApprovalRevoked,
    CredentialMode,
    ForgeUser,
    Person,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestUpdated,
    RevocationOutcome,
)
from countersign.contracts.promotion import Promotion, State
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.timeline.moments import Heard, Moment, moment_of

MOMENTS_MAX: Final = 200  # a promotion tried a dozen times has about a hundred
DECISIONS_MAX: Final = 100


class Outcome(StrEnum):
    """The outcome of an approval."""

    ASKED = "asked"
    GRANTED = "granted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A person's consent or refusal, for the record."""

    approval_id: str
    by: Person
    outcome: Outcome
    at: datetime | None
    attempt: int
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    forge_user: ForgeUser | None = None
    reason: str = ""
    consent_digest: str = ""
    narrowed: bool = False
    revocation: RevocationOutcome = RevocationOutcome.UNSPECIFIED
    revocation_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A promotion with its history."""

    promotion: Promotion
    moments: tuple[Moment, ...] = ()
    decisions: tuple[Decision, ...] = ()
    checks: str = ""
    checked_at: datetime | None = None
    pull_request_ended: bool = False
    traceparent: str = ""
    # Where in the stream it began; later ones follow.
    sequence: int = 0

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
        parts = self.traceparent.split("-")
        return parts[1] if len(parts) == 4 else ""  # noqa: PLR2004 - W3C trace context

    @property
    def carrier(self) -> dict[str, str]:
        return {"traceparent": self.traceparent} if self.traceparent else {}


def fold(timeline: Timeline | None, event: Message, heard: Heard) -> Timeline | None:
    """The timeline after the event; the same object when the event changes nothing."""
    before = timeline.promotion if timeline else None
    after = advance(before, event)
    if after is None:
        return None
    if timeline is None:
        timeline = Timeline(promotion=after, traceparent=heard.traceparent, sequence=heard.sequence)
    known = _same_revocation(timeline, event)
    timeline = _remember(timeline, event, heard)
    if after is before and not (isinstance(event, ApprovalRevoked) and not known):
        return timeline
    if before is not None and after.attempt > before.attempt:
        timeline = replace(timeline, pull_request_ended=False, checks="")
    moments = (*timeline.moments, moment_of(event, after, heard))[-MOMENTS_MAX:]
    return replace(timeline, promotion=after, moments=moments)


def _same_revocation(timeline: Timeline, event: Message) -> bool:
    if not isinstance(event, ApprovalRevoked):
        return True
    found = _decision(timeline, event.approval_id)
    return found is not None and found.revocation is event.outcome


def _remember(timeline: Timeline, event: Message, heard: Heard) -> Timeline:
    """Facts that hold whatever the state is."""
    if isinstance(event, PullRequestUpdated):
        return _checked(timeline, event, heard)
    if isinstance(event, PullRequestMerged | PullRequestClosed) and not timeline.pull_request_ended:
        return replace(timeline, pull_request_ended=True)
    decided = _decide(timeline, event, heard)
    if decided is None or decided in timeline.decisions:
        return timeline
    others = tuple(d for d in timeline.decisions if d.approval_id != decided.approval_id)
    return replace(timeline, decisions=(*others, decided)[-DECISIONS_MAX:])


def _checked(timeline: Timeline, event: PullRequestUpdated, heard: Heard) -> Timeline:
    """The newest that the forge told; for an attempt that is over it says nothing."""
    at = event.updated_at or heard.recorded_at
    stale = timeline.checked_at is not None and at <= timeline.checked_at
    if stale or max(1, event.promotion.attempt) != timeline.promotion.attempt:
        return timeline
    return replace(timeline, checks=event.summary, checked_at=at)


def _decision(timeline: Timeline, approval_id: str) -> Decision | None:
    return next((d for d in timeline.decisions if d.approval_id == approval_id), None)


def _decide(timeline: Timeline, event: Message, heard: Heard) -> Decision | None:
    if isinstance(event, ApprovalRejected):
        attempt = max(1, event.promotion.attempt)
        return Decision(
            approval_id=f"rejected-{attempt}-{event.by.id}",
            by=event.by,
            outcome=Outcome.REJECTED,
            at=event.rejected_at or heard.recorded_at,
            attempt=attempt,
            reason=event.reason,
        )
    if isinstance(event, ApprovalBegun | ApprovalGranted):
        return _consent(timeline, event, heard)
    if isinstance(event, ApprovalExpired | ApprovalLost | ApprovalRevoked):
        return _ended(_decision(timeline, event.approval_id), event)
    return None


def _consent(
    timeline: Timeline, event: ApprovalBegun | ApprovalGranted, heard: Heard
) -> Decision | None:
    known = _decision(timeline, event.approval_id)
    attempt = max(1, event.promotion.attempt)
    if isinstance(event, ApprovalBegun):
        fresh = Decision(
            approval_id=event.approval_id,
            by=event.by,
            outcome=Outcome.ASKED,
            at=event.begun_at or heard.recorded_at,
            attempt=attempt,
            mode=CredentialMode.DELEGATED,
        )
        return known or fresh
    if known is not None and known.outcome is not Outcome.ASKED:
        return known
    return Decision(
        approval_id=event.approval_id,
        by=event.by,
        outcome=Outcome.GRANTED,
        at=event.granted_at or heard.recorded_at,
        attempt=attempt,
        mode=event.mode,
        forge_user=event.forge_user,
        consent_digest=event.consent_digest,
        narrowed=event.narrowed,
    )


def _ended(
    known: Decision | None, event: ApprovalExpired | ApprovalLost | ApprovalRevoked
) -> Decision | None:
    if known is None:
        return None
    if isinstance(event, ApprovalRevoked):
        return replace(known, revocation=event.outcome, revocation_reason=event.reason)
    if known.outcome in {Outcome.REJECTED, Outcome.EXPIRED, Outcome.LOST}:
        return known
    if isinstance(event, ApprovalExpired):
        return replace(known, outcome=Outcome.EXPIRED, reason=event.reason)
    return replace(known, outcome=Outcome.LOST, reason="the service that held it was restarted")
