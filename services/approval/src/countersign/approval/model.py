"""Consents, and the decisions about them that need nobody else. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.identity import consent_digest
from countersign.contracts.messages import (
    CredentialMode,
    Destination,
    ForgeUser,
    Person,
    PromotionRef,
)
from countersign.contracts.promotion import RETRYABLE_REASONS, Approval, Promotion, State

DEVICE_SIGN_IN_S: Final = 300  # a code can be read over a shoulder, or sent to somebody
SIGN_IN_S: Final = 600  # RFC 9700 wants short; ten minutes cover a second factor
REDEMPTIONS_MAX: Final = 3  # one, and two more whose answers were lost
# A try that failed for a reason that passes is repeated after these delays, then no more.
RETRY_DELAYS_S: Final = (5.0, 30.0, 120.0)
REASON_CHARACTERS_MAX: Final = 500
ASKABLE: Final = frozenset({State.WAITING, State.ASKED})


class Ending(StrEnum):
    """Why a delegation ended, as `approval.revoked` says it."""

    USED = "used"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SIGNED_OUT = "signed out"
    SUPERSEDED = "superseded"
    SHUT_DOWN = "shut down"
    EVICTED = "evicted"
    REFUSED = "refused"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


class NotPermitted(Rejected):
    """A person has no right to promote; the message says what would give it."""

    def __init__(self, message: str) -> None:
        super().__init__(ConsentRefusal.NOT_ALLOWED, message)


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The owner of a delegation: one person, in one browser session, at one forge."""

    person_id: str
    session: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Consent:
    """One person's consent to one attempt at one promotion."""

    approval_id: str
    person: Person
    session: str
    promotion: PromotionRef
    destination: Destination
    digest: str
    # The person said so, knowing that the way is blocked.
    despite_blocked: bool = False
    reason: str = ""
    # Carries the promotion's trace.
    trace: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """Its ids, for a line of the log."""
        return {
            "promotion_id": self.promotion.promotion_id,
            "approval_id": self.approval_id,
        }

    @property
    def owner(self) -> Owner:
        return Owner(person_id=self.person.id, session=self.session, origin=self.destination.origin)

    @property
    def attempt(self) -> int:
        return max(1, self.promotion.attempt)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A person's own words beside a consent."""

    reason: str = ""
    # Knowing that the way is blocked.
    despite_blocked: bool = False


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A promotion as the stream tells it, and the trace that its request began."""

    promotion: Promotion
    trace: Mapping[str, str] = field(default_factory=dict)

    def consent(
        self,
        *,
        approval_id: str,
        person: Person,
        session: str,
        merges_itself: bool,
        said: Said,
    ) -> Consent:
        return Consent(
            approval_id=approval_id,
            person=person,
            session=session,
            promotion=self.promotion.ref,
            destination=self.promotion.request.destination,
            digest=consent_digest(self.promotion.request, merges_itself=merges_itself),
            despite_blocked=said.despite_blocked,
            reason=said.reason,
            trace=self.trace,
        )


@dataclass(frozen=True, kw_only=True)
class Count:
    """The number of people who will have consented, of as many as are needed."""

    count: int
    needed: int

    @property
    def completes(self) -> bool:
        return self.count >= self.needed


def count_with(promotion: Promotion, consent: Consent, *, account: ForgeUser | None) -> Count:
    """Count the approvals with this consent, given with this account at the forge."""
    given = Approval(
        approval_id=consent.approval_id,
        by=consent.person,
        forge_user=account,
        consent_digest=consent.digest,
    )
    after = replace(promotion, approvals=(*promotion.granted, given))
    return Count(count=len(after.counted), needed=promotion.approvals_needed)


def reason_given(promotion: Promotion, words: str) -> str:
    """Return the reason as it is recorded, on one line.

    Raises:
        Rejected: `reason_wanted`; the Pipeline asks for one.

    """
    reason = " ".join(words.split())[:REASON_CHARACTERS_MAX]
    if promotion.request.reason_required and not reason:
        raise Rejected(
            ConsentRefusal.REASON_WANTED, f"{_named(promotion)} takes a reason; say why, and again"
        )
    return reason


def refuse_consent(promotion: Promotion, person: Person) -> None:
    """Refuse a consent that nobody asks for, or not this person.

    Raises:
        Rejected: `not_waiting`, or `not_allowed` for somebody who has consented already, or who
            asked for what others must consent to.

    """
    where = _named(promotion)
    if promotion.state not in ASKABLE:
        raise Rejected(
            ConsentRefusal.NOT_WAITING,
            f"{where} is {promotion.state.value}, so there is nothing to approve",
        )
    if any(a.by.id == person.id for a in promotion.granted):
        raise Rejected(
            ConsentRefusal.NOT_ALLOWED,
            f"{where}: {_name(person)} has approved it already; somebody else must approve it too",
        )
    if promotion.excluded and promotion.excluded.id == person.id:
        raise Rejected(
            ConsentRefusal.NOT_ALLOWED,
            f"{where}: {_name(person)} asked for it, so {_others(promotion)} must approve it; "
            "soloMode in the Pipeline lets who asked do so",
        )


def refuse_account(promotion: Promotion, account: ForgeUser) -> None:
    """Refuse a second consent with the same account at the forge, whoever uses it.

    Raises:
        Rejected: `not_allowed`.

    """
    known = [a for a in promotion.granted if a.forge_user and a.forge_user.id == account.id]
    if known:
        raise Rejected(
            ConsentRefusal.NOT_ALLOWED,
            f"{_named(promotion)}: {_name(known[0].by)} has approved it with the account "
            f"{account.login!r}; it needs another person with an account of their own",
        )


def refuse_plain_approval(promotion: Promotion) -> None:
    """Refuse an approval that brings no token where none is stored.

    Raises:
        Rejected: `not_allowed` where only a delegation can open the pull request.

    """
    if promotion.request.mode not in {CredentialMode.STORED, CredentialMode.APP}:
        raise Rejected(
            ConsentRefusal.NOT_ALLOWED,
            f"{_named(promotion)} has no stored credential; promote it with your own account",
        )


def refuse_rejection(promotion: Promotion, *, now: datetime) -> None:
    """Refuse a refusal of what is opened, unless it does not end by itself and is given up."""
    if promotion.state not in ASKABLE and not promotion.may_be_given_up_at(now):
        raise Rejected(
            ConsentRefusal.NOT_WAITING,
            f"{_named(promotion)} is {promotion.state.value}, so it can no longer be rejected",
        )


def refuse_retry(promotion: Promotion, *, now: datetime) -> None:
    """Refuse another try of what has not ended, unless it does not end by itself."""
    if not promotion.may_be_retried_at(now):
        raise Rejected(
            ConsentRefusal.NOT_WAITING,
            f"{_named(promotion)} is {promotion.state.value} and has not ended yet",
        )


def retry_delay(promotion: Promotion) -> timedelta | None:
    """Return the pause before a failed attempt repeats itself; none where a person has to ask."""
    repeats = (
        promotion.state is State.FAILED
        and not promotion.needs_consent
        and promotion.failure in RETRYABLE_REASONS
        and promotion.attempt <= len(RETRY_DELAYS_S)
    )
    return timedelta(seconds=RETRY_DELAYS_S[promotion.attempt - 1]) if repeats else None


def carried(promotion: Promotion) -> tuple[Approval, ...]:
    """The approvals whose end would leave the promotion waiting for nothing.

    Sign-ins under way; and while the pull request is being opened, the delegation that completed
    the consent. A consent that waits for other people's holds nothing that could be lost.
    """
    if promotion.state is State.OPENING:
        return tuple(a for a in promotion.granted[-1:] if a.replica)
    if promotion.state is State.ASKED:
        return tuple(a for a in promotion.approvals if a.replica and a.granted_at is None)
    return ()


def is_carried_by(promotion: Promotion, consent: Consent) -> bool:
    """Say if this consent is one of those, or news of it is still on its way to us."""
    if promotion.attempt != consent.attempt or not promotion.is_before(State.OPEN):
        return False
    known = {a.approval_id for a in promotion.approvals} | set(promotion.spent)
    if consent.approval_id not in known:
        return True
    return consent.approval_id in {a.approval_id for a in carried(promotion)}


def _others(promotion: Promotion) -> str:
    needed = promotion.approvals_needed
    return "somebody else" if needed == 1 else f"{needed} others"


def _name(person: Person) -> str:
    return person.name or person.id


def _named(promotion: Promotion) -> str:
    ref = promotion.request.promotion
    name = f"{ref.pipeline.namespace}/{ref.pipeline.name}"
    return f"the promotion of {name!r} into {ref.environment!r}"
