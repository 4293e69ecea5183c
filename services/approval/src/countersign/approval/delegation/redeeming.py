"""Handing a delegation to one executor: who asks is proven, what is given opens for it alone."""

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from countersign.approval.delegation.delegating import Delegations
from countersign.approval.delegation.signing import Writers
from countersign.approval.interfaces import Applications, Authorizer, Caller, Clock
from countersign.approval.model import ASKABLE, Entry, NotPermitted
from countersign.approval.promotions.projection import Promotions
from countersign.approval.vault.vault import Job, Vault
from countersign.contracts.consent.redemption import (
    NONCE_BYTES,
    PUBLIC_KEY_BYTES,
    hpke_info,
)
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import RedeemRequest, RedeemResponse
from countersign.contracts.promotion import State
from countersign.contracts.secret import Secret
from countersign.contracts.subjects import inbox_prefix
from countersign.telemetry.attributes import APPROVAL_ID, PROMOTION_ID, SPAN_REDEEM
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import span

log = get_logger()

FRESH_S_MAX: Final = 30
# Older ones are refused for their age, in either direction of a clock's error.
NONCES_KEPT_S: Final = 2 * FRESH_S_MAX
NONCES_MAX: Final = 20_000
CALLER: Final = "pr-writer"
_SUITE: Final = (KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class Nonces:
    """Those of the last minute, each taken once."""

    def __init__(self, *, now: Clock) -> None:
        self._now = now
        self._seen: OrderedDict[bytes, datetime] = OrderedDict()

    def take(self, nonce: bytes) -> None:
        """
        Raises:
            Rejected: `replay`, `limit`.

        """
        now = self._now()
        oldest = now - timedelta(seconds=NONCES_KEPT_S)
        while self._seen and next(iter(self._seen.values())) < oldest:
            self._seen.popitem(last=False)
        if nonce in self._seen:
            raise Rejected("replay", "the nonce was used before")
        if len(self._seen) >= NONCES_MAX:
            raise Rejected("limit", "too many redemptions in a minute")
        self._seen[nonce] = now


def refuse_malformed(request: RedeemRequest, caller: Caller, *, replica: str) -> None:
    """Refuse what is not meant for this replica or whose answer would go elsewhere.

    Raises:
        Rejected: `bad_request`, `not_allowed`.

    """
    sizes = len(request.public_key), len(request.nonce)
    if sizes != (PUBLIC_KEY_BYTES, NONCE_BYTES) or request.replica != replica:
        raise Rejected("bad_request", f"the redemption is not one for replica {replica!r}")
    own_inbox = request.reply.startswith(f"{inbox_prefix(CALLER)}.")
    if caller.service != CALLER or request.reply != caller.reply or not own_inbox:
        raise Rejected("not_allowed", "the answer would not go to the pr-writer that signed")


def refuse_stale(request: RedeemRequest, *, now: datetime) -> None:
    if abs(now - request.signed_at) > timedelta(seconds=FRESH_S_MAX):
        raise Rejected("bad_request", f"signed more than {FRESH_S_MAX} s ago; check the clocks")


def refuse_other_job(request: RedeemRequest, job: Job) -> None:
    """
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
            "not_allowed", f"approval {consent.approval_id!r} was given for something else"
        )


def seal(token: Secret, request: RedeemRequest) -> bytes:
    """The token for the holder of the request's key, and in its context only (RFC 9180)."""
    try:
        key = X25519PublicKey.from_public_bytes(request.public_key)
        return Suite(*_SUITE).encrypt(token.reveal().encode(), key, hpke_info(request))
    except ValueError:
        raise Rejected("bad_request", "the public key is not usable") from None


@dataclass(frozen=True, kw_only=True)
class Redemptions:
    replica: str
    promotions: Promotions
    vault: Vault
    delegations: Delegations
    applications: Applications
    authorizer: Authorizer
    writers: Writers
    nonces: Nonces
    now: Clock

    async def redeem(self, request: RedeemRequest, caller: Caller) -> RedeemResponse:
        """
        Raises:
            Rejected: `bad_request`, `not_allowed`, `replay`, `limit`, `expired`, `not_waiting`.
            Retryable: `forge_unavailable`, `cluster_unavailable`.

        """
        refuse_malformed(request, caller, replica=self.replica)
        self.writers.refuse_forged(request)
        refuse_stale(request, now=self.now())
        self.nonces.take(request.nonce)
        job = self.vault.job(request.approval_id)
        refuse_other_job(request, job)
        with span(
            SPAN_REDEEM,
            parent=job.consent.trace,
            link_current=True,
            attributes={APPROVAL_ID: request.approval_id, PROMOTION_ID: request.promotion_id},
        ):
            return await self._redeem(request, job)

    async def _redeem(self, request: RedeemRequest, job: Job) -> RedeemResponse:
        entry = await self._opening(job)
        await self._refuse_withdrawn(job, entry)
        application = self.applications.find(job.consent.destination.origin)
        token = await self.delegations.token_for(application, job, key=request.public_key)
        sealed = seal(token, request)
        log.info(
            "delegation.redeemed",
            approval_id=request.approval_id,
            promotion_id=request.promotion_id,
            redemption=len(job.keys),
        )
        return RedeemResponse(sealed=sealed, forge_user=job.forge_user, expires_at=job.until)

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
                "not_waiting",
                f"promotion {promotion_id!r} is {promotion.state.value}, attempt "
                f"{promotion.attempt}; nothing is to be opened",
            )
        if job.consent.approval_id not in {a.approval_id for a in promotion.granted[-1:]}:
            raise Rejected(
                "not_waiting", f"promotion {promotion_id!r} is opened with another consent"
            )
        return entry
