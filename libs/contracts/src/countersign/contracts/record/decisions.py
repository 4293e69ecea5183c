"""Decisions of people about one promotion, and what became of what they delegated."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

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
    RevocationOutcome,
    TokenKind,
)

DECISIONS_MAX: Final = 100  # of one attempt


class Heard(NamedTuple):
    """The envelope of an event."""

    sequence: int
    recorded_at: datetime
    traceparent: str = ""


class Outcome(StrEnum):
    """The outcome of an approval."""

    ASKED = "asked"
    GRANTED = "granted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class DelegationRecord:
    """The token that came with an approval: whose, how strong, and its end."""

    # Absent where it was refused before it was known.
    forge_user: ForgeUser | None = None
    kind: TokenKind = TokenKind.UNSPECIFIED
    scopes: tuple[str, ...] = ()
    narrowed: bool = False
    expires_at: datetime | None = None
    redeemed_at: datetime | None = None
    ended_at: datetime | None = None
    end: RevocationOutcome = RevocationOutcome.UNSPECIFIED
    end_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A person's consent or refusal. `reason` is theirs, `ended` why a consent came to nothing."""

    approval_id: str
    by: Person
    outcome: Outcome
    at: datetime | None
    attempt: int
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    reason: str = ""
    ended: str = ""
    consent_digest: str = ""
    delegation: DelegationRecord | None = None

    @property
    def forge_user(self) -> ForgeUser | None:
        return self.delegation.forge_user if self.delegation else None

    @property
    def was_given(self) -> bool:
        """Tell whether the person consented, whatever became of it."""
        return bool(self.consent_digest)


Decisions = tuple[Decision, ...]


def find(decisions: Decisions, approval_id: str) -> Decision | None:
    return next((d for d in decisions if d.approval_id == approval_id), None)


def decide(decisions: Decisions, event: Message, heard: Heard) -> Decisions:
    """The decisions after the event; the same object where it changes none."""
    decided = _decided(decisions, event, heard)
    if decided is None or decided in decisions:
        return decisions
    others = tuple(d for d in decisions if d.approval_id != decided.approval_id)
    return (*others, decided)[-DECISIONS_MAX:]


def _decided(decisions: Decisions, event: Message, heard: Heard) -> Decision | None:
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
    if isinstance(event, ApprovalBegun):
        return find(decisions, event.approval_id) or _begun(event, heard)
    if isinstance(event, ApprovalGranted):
        known = find(decisions, event.approval_id)
        return known if known and known.outcome is not Outcome.ASKED else _granted(event, heard)
    if isinstance(event, ApprovalExpired | ApprovalLost | ApprovalRevoked):
        return _ended(find(decisions, event.approval_id), event, heard)
    return None


def _begun(event: ApprovalBegun, heard: Heard) -> Decision:
    return Decision(
        approval_id=event.approval_id,
        by=event.by,
        outcome=Outcome.ASKED,
        at=event.begun_at or heard.recorded_at,
        attempt=max(1, event.promotion.attempt),
        mode=CredentialMode.DELEGATED,
    )


def _granted(event: ApprovalGranted, heard: Heard) -> Decision:
    delegation = None
    if event.forge_user is not None:
        delegation = DelegationRecord(
            forge_user=event.forge_user,
            kind=event.token_kind,
            scopes=event.scopes,
            narrowed=event.narrowed,
            expires_at=event.expires_at,
        )
    return Decision(
        approval_id=event.approval_id,
        by=event.by,
        outcome=Outcome.GRANTED,
        at=event.granted_at or heard.recorded_at,
        attempt=max(1, event.promotion.attempt),
        mode=event.mode,
        reason=event.reason,
        consent_digest=event.consent_digest,
        delegation=delegation,
    )


def _ended(
    known: Decision | None, event: ApprovalExpired | ApprovalLost | ApprovalRevoked, heard: Heard
) -> Decision | None:
    if known is None:
        return None
    if isinstance(event, ApprovalRevoked):
        return _revoked(known, event, heard)
    if known.outcome in {Outcome.REJECTED, Outcome.EXPIRED, Outcome.LOST}:
        return known
    if isinstance(event, ApprovalExpired):
        return replace(known, outcome=Outcome.EXPIRED, ended=event.reason)
    return replace(known, outcome=Outcome.LOST)


def _revoked(known: Decision, event: ApprovalRevoked, heard: Heard) -> Decision:
    """One approval may have had several tokens; one that could not be ended is not passed over."""
    token = known.delegation or DelegationRecord()
    failed = token.end is RevocationOutcome.FAILED
    at = event.revoked_at or heard.recorded_at
    if token.ended_at is not None and at <= token.ended_at:
        return known
    token = replace(
        token,
        redeemed_at=token.redeemed_at or event.redeemed_at,
        ended_at=at,
        end=token.end if failed else event.outcome,
        end_reason=token.end_reason if failed else event.reason,
    )
    return replace(known, delegation=token)
