"""Hands a delegation to one executor, sealed so that it opens for that one alone."""

import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from countersign.approval.delegation.delegations import Delegations
from countersign.approval.delegation.proofs import Proofs
from countersign.approval.interfaces import Applications, Authorizer, Caller
from countersign.approval.model import ASKABLE, Entry, NotPermitted
from countersign.approval.promotions.environments import Environments
from countersign.approval.promotions.projection import Promotions
from countersign.approval.vault.vault import Job, Vault
from countersign.contracts.consent.redemption import (
    hpke_info,
)
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import RedeemRequest, RedeemResponse
from countersign.contracts.promotion import State
from countersign.contracts.secret import Secret
from countersign.telemetry.attributes import APPROVAL_ID, PROMOTION_ID, SPAN_REDEEM
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import carrier, span

log = get_logger()

_SUITE: Final = (KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def refuse_other_job(request: RedeemRequest, job: Job) -> None:
    """Refuse what the consent was not given for.

    Raises:
        Rejected: `not_allowed`.

    """
    consent = job.consent
    same = (
        request.promotion_id == consent.promotion.promotion_id
        and max(1, request.attempt) == consent.attempt
        and hmac.compare_digest(request.consent_digest.encode(), consent.digest.encode())
    )
    if not same:
        raise Rejected(
            ConsentRefusal.NOT_ALLOWED,
            f"approval {consent.approval_id!r} was given for something else",
        )


def seal(token: Secret, request: RedeemRequest) -> bytes:
    """The token for the holder of the request's key, and in its context only (RFC 9180)."""
    try:
        key = X25519PublicKey.from_public_bytes(request.public_key)
        return Suite(*_SUITE).encrypt(token.reveal().encode(), key, hpke_info(request))
    except ValueError:
        raise Rejected(ConsentRefusal.BAD_REQUEST, "the public key is not usable") from None


@dataclass(frozen=True, kw_only=True)
class Redemptions:
    proofs: Proofs
    promotions: Promotions
    environments: Environments
    vault: Vault
    delegations: Delegations
    applications: Applications
    authorizer: Authorizer

    async def redeem(self, request: RedeemRequest, caller: Caller) -> RedeemResponse:
        """Hand the delegation to the executor whose key the request names.

        Raises:
            Rejected: `bad_request`, `not_allowed`, `replay`, `limit`, `expired`, `not_waiting`.
            Retryable: `forge_unavailable`, `cluster_unavailable`.

        """
        self.proofs.check(request, caller)
        job = self.vault.job(request.approval_id)
        refuse_other_job(request, job)
        with span(
            SPAN_REDEEM,
            parent=job.consent.trace,
            links=[carrier()],
            attributes={APPROVAL_ID: request.approval_id, PROMOTION_ID: request.promotion_id},
        ):
            return await self._redeem(request, job)

    async def _redeem(self, request: RedeemRequest, job: Job) -> RedeemResponse:
        entry = await self._opening(job)
        await self._refuse_withdrawn(job, entry)
        self._refuse_hindered(job, entry)
        application = self.applications.find(job.consent.destination.origin)
        token = await self.delegations.token_for(application, job, key=request.public_key)
        sealed = seal(token, request)
        log.info(
            "delegation.redeemed",
            approval_id=request.approval_id,
            promotion_id=request.promotion_id,
            redemption=len(job.keys),
        )
        return RedeemResponse(sealed=sealed, forge_user=job.forge_user, expires_at=job.until.at)

    def _refuse_hindered(self, job: Job, entry: Entry) -> None:
        hindrance = self.environments.hindrance(entry.promotion)
        if hindrance and not job.consent.despite_blocked:
            raise Rejected(ConsentRefusal.NOT_HEALTHY, f"nothing was opened: {hindrance} now")

    async def _refuse_withdrawn(self, job: Job, entry: Entry) -> None:
        """All who consented must still have the right, now and not some seconds ago."""
        if job.refusal:
            raise NotPermitted(job.refusal)
        people = [a.by for a in entry.promotion.granted if a.by.id != job.consent.person.id]
        try:
            for person in (job.consent.person, *people):
                await self.authorizer.refuse(person, entry.promotion, fresh=True)
        except NotPermitted as error:
            refusal = (
                f"nothing was opened, a right was withdrawn after the consent: {error.message}"
            )
            await self.delegations.withdraw(job, refusal=refusal)
            log.warning(
                "delegation.withdrawn",
                approval_id=job.consent.approval_id,
                promotion_id=job.consent.promotion.promotion_id,
            )
            raise NotPermitted(refusal) from None

    async def _opening(self, job: Job) -> Entry:
        """The promotion, which everybody needed has consented to, in the same attempt."""
        promotion_id = job.consent.promotion.promotion_id
        entry = await self.promotions.until(
            promotion_id, lambda e: e.promotion.state not in ASKABLE
        )
        promotion = entry.promotion
        if promotion.state is not State.OPENING or promotion.attempt != job.consent.attempt:
            raise Rejected(
                ConsentRefusal.NOT_WAITING,
                f"promotion {promotion_id!r} is {promotion.state.value}, attempt "
                f"{promotion.attempt}; nothing is to be opened",
            )
        if job.consent.approval_id not in {a.approval_id for a in promotion.granted[-1:]}:
            raise Rejected(
                ConsentRefusal.NOT_WAITING,
                f"promotion {promotion_id!r} is opened with another consent",
            )
        return entry
