"""The delegations that this replica holds, for minutes, in memory, as ciphertext.

Where a forge narrows, a person's own token stays here and never leaves, and what leaves is a child
of it for one repository, made for one job. Elsewhere the own token is its job's and leaves with it.
Every token that goes in comes out again exactly once, as `Spent`, to be revoked.
No I/O and no waiting here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from countersign.approval.model import REDEMPTIONS_MAX, Consent, Ending, Owner
from countersign.approval.vault.ciphers import Sealed
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser, TokenKind
from countersign.process.clocks import Clocks, Deadline

DELEGATIONS_MAX: Final = 1_000  # of all people; a token each, some 2 KB with its bookkeeping
DELEGATIONS_PER_PERSON_MAX: Final = 4  # sessions and forges of one person; the oldest gives way
JOBS_MAX: Final = 4_000
JOBS_PER_PERSON_MAX: Final = 64
OWN_NAME: Final = "own"  # of a person's own token, among those of the same approval


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The account at the forge, and all that may be done in its name. For the record."""

    user: ForgeUser
    kind: TokenKind = TokenKind.UNSPECIFIED
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """A person's own token. `consent` is the one that brought it."""

    consent: Consent
    token: Sealed
    identity: Identity
    until: Deadline

    @property
    def forge_user(self) -> ForgeUser:
        return self.identity.user


@dataclass(frozen=True, kw_only=True)
class Spent:
    """A token that must be revoked. `name` tells it from others of the same approval."""

    consent: Consent
    token: Sealed
    name: str
    reason: Ending
    # When it was first handed out; none if it never was.
    redeemed_at: datetime | None = None


@dataclass(kw_only=True)
class Job:
    """One consent, and the tokens that it may be redeemed for."""

    consent: Consent
    identity: Identity
    until: Deadline
    # Made and proven at consent, handed out by the first redemption.
    ready: Sealed | None = None
    # The person's own, where the forge makes no children: every redemption gets this one.
    own: Sealed | None = None
    children: list[Sealed] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    redeemed_at: datetime | None = None
    # Why it gives nothing any more; it stays, so that whoever asks again hears why.
    refusal: str = ""

    @property
    def forge_user(self) -> ForgeUser:
        return self.identity.user

    @property
    def redeemed(self) -> bool:
        return bool(self.keys)


class Vault:
    def __init__(self, *, clocks: Clocks) -> None:
        self._clocks = clocks
        self._delegations: dict[Owner, Delegation] = {}
        self._jobs: dict[str, Job] = {}

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(self._jobs.values())

    @property
    def size(self) -> int:
        return len(self._delegations)

    def keep(self, delegation: Delegation) -> list[Spent]:
        """Take a person's token in; what gives way to it is returned.

        Raises:
            Rejected: `limit`; the vault is full of other people's.

        """
        owner = delegation.consent.owner
        mine = [o for o in self._delegations if o.person_id == owner.person_id and o != owner]
        evicted = mine[: max(0, len(mine) - DELEGATIONS_PER_PERSON_MAX + 1)]
        left = len(self._delegations.keys() - {owner, *evicted})
        if left >= DELEGATIONS_MAX:
            raise Rejected(
                ConsentRefusal.LIMIT, "too many delegations are held; try again in some minutes"
            )
        spent = [_own(self._delegations.pop(oldest), Ending.EVICTED) for oldest in evicted]
        spent += self.drop(owner, Ending.SUPERSEDED)
        self._delegations[owner] = delegation
        return spent

    def held(self, owner: Owner) -> Delegation | None:
        found = self._delegations.get(owner)
        return found if found and not self._clocks.is_over(found.until) else None

    def drop(self, owner: Owner, reason: Ending) -> list[Spent]:
        found = self._delegations.pop(owner, None)
        return [_own(found, reason)] if found else []

    def add_job(self, job: Job) -> None:
        """Take a job in.

        Raises:
            Rejected: `limit`.

        """
        person_id = job.consent.person.id
        mine = sum(j.consent.person.id == person_id for j in self._jobs.values())
        if len(self._jobs) >= JOBS_MAX or mine >= JOBS_PER_PERSON_MAX:
            raise Rejected(
                ConsentRefusal.LIMIT, "too many promotions are being opened; try again in a minute"
            )
        self._jobs[job.consent.approval_id] = job

    def job(self, approval_id: str) -> Job:
        """Return the job of an approval.

        Raises:
            Rejected: `expired`.

        """
        job = self._jobs.get(approval_id)
        if job is None or self._clocks.is_over(job.until):
            raise Rejected(
                ConsentRefusal.EXPIRED, f"no delegation is held for approval {approval_id!r}"
            )
        return job

    def reserve(self, job: Job, *, key: bytes) -> Sealed | None:
        """Count one redemption, before anything is waited for.

        Returns:
            The token for it, or none: then a child has to be made.

        Raises:
            Rejected: `replay` of a key, `limit`.

        """
        if key in job.keys:
            raise Rejected(
                ConsentRefusal.REPLAY, f"approval {job.consent.approval_id!r}: the key was used"
            )
        if len(job.keys) >= REDEMPTIONS_MAX:
            raise Rejected(
                ConsentRefusal.LIMIT,
                f"approval {job.consent.approval_id!r} was redeemed {REDEMPTIONS_MAX} times",
            )
        job.keys.add(key)
        job.redeemed_at = job.redeemed_at or self._clocks.wall()
        if job.own is not None:
            return job.own
        ready, job.ready = job.ready, None
        if ready:
            job.children.append(ready)
        return ready

    def add_child(self, job: Job, child: Sealed) -> list[Spent]:
        """Remember what was handed out. If the job ended meanwhile, it is spent at once."""
        job.children.append(child)
        if self._jobs.get(job.consent.approval_id) is job:
            return []
        return [_child(job, len(job.children) - 1, child, Ending.EXPIRED)]

    def end(self, approval_id: str, reason: Ending) -> list[Spent]:
        """End one job; its tokens are spent."""
        job = self._jobs.pop(approval_id, None)
        return list(_tokens(job, reason)) if job else []

    def withdraw(self, job: Job, *, refusal: str) -> list[Spent]:
        """Spend what one job holds, and let it refuse from now on."""
        spent = list(_tokens(job, Ending.WITHDRAWN))
        job.refusal, job.own, job.ready, job.children = refusal, None, None, []
        return spent

    def due(self) -> list[Job]:
        """Jobs whose time is over; they stay until they are ended."""
        return [job for job in self._jobs.values() if self._clocks.is_over(job.until)]

    def expire(self) -> list[Spent]:
        """People's own tokens whose minutes are over."""
        over = [o for o, d in self._delegations.items() if self._clocks.is_over(d.until)]
        return [_own(self._delegations.pop(owner), Ending.EXPIRED) for owner in over]

    def end_for(
        self, promotion_id: str, *, person_id: str, reason: Ending
    ) -> tuple[list[Spent], list[Job]]:
        """End all of a person for one promotion, and the own tokens that it was made from.

        Else the next approval would use those again, and ask nobody.
        """

        def concerns(consent: Consent) -> bool:
            return consent.person.id == person_id and (
                consent.promotion.promotion_id == promotion_id
            )

        jobs = [job for job in self._jobs.values() if concerns(job.consent)]
        owners = {job.consent.owner for job in jobs}
        owners |= {o for o, held in self._delegations.items() if concerns(held.consent)}
        spent = [one for job in jobs for one in self.end(job.consent.approval_id, reason)]
        return [*spent, *(one for o in owners for one in self.drop(o, reason))], jobs

    def end_all(
        self, reason: Ending, *, person_id: str = "", session: str = ""
    ) -> tuple[list[Spent], list[Job]]:
        """End all, or all of a person, or of one session of theirs."""

        def concerns(owner: Owner) -> bool:
            return person_id in {"", owner.person_id} and session in {"", owner.session}

        owners = [owner for owner in self._delegations if concerns(owner)]
        jobs = [job for job in self._jobs.values() if concerns(job.consent.owner)]
        spent = [_own(self._delegations.pop(owner), reason) for owner in owners]
        for job in jobs:
            spent += self.end(job.consent.approval_id, reason)
        return spent, jobs


def _own(delegation: Delegation, reason: Ending) -> Spent:
    return Spent(consent=delegation.consent, token=delegation.token, name=OWN_NAME, reason=reason)


def _child(job: Job, number: int, child: Sealed, reason: Ending) -> Spent:
    return Spent(
        consent=job.consent,
        token=child,
        name=f"child-{number}",
        reason=reason,
        redeemed_at=job.redeemed_at,
    )


def _tokens(job: Job, reason: Ending) -> Iterator[Spent]:
    if job.own:
        yield Spent(
            consent=job.consent,
            token=job.own,
            name=OWN_NAME,
            reason=reason,
            redeemed_at=job.redeemed_at,
        )
    children = [*job.children, *([job.ready] if job.ready else [])]
    for number, child in enumerate(children):
        yield _child(job, number, child, reason)
