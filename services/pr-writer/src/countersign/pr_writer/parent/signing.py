"""The parent's half of a redemption: it signs the request with its nkey and relays the answer."""

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from countersign.contracts.consent.redemption import NONCE_BYTES, UNSIGNED, canonical_bytes
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import Problem, RedeemRequest, RedeemResponse
from countersign.pr_writer.jobs.model import OpenJob
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parent.interfaces import Clock

REDEEM_S: Final = 10.0
# After each try: an API server is away for about as long as it takes to restart.
ASK_AGAIN_S: Final = (4.0, 16.0)
# Whether the approver may still promote, or a narrower token: known as soon as those are back.
PASSING: Final = frozenset({JobRefusal.CLUSTER_UNAVAILABLE, JobRefusal.FORGE_UNAVAILABLE})
# Told as approval tells them; whatever else it refuses, the delegation cannot be had any more.
OWN_WORDS: Final = frozenset({JobRefusal.NOT_ALLOWED, JobRefusal.NOT_HEALTHY})
_SEED_BYTES: Final = 36  # two of prefix, 32 of seed, two of checksum


class Asker(Protocol):
    """The bus, as a request needs it."""

    def reply_subject(self) -> str: ...

    async def request(
        self, name: str, request: Message, *, replica: str, timeout_s: float, reply: str
    ) -> Message: ...


def signing_key(nkey_file: Path | None) -> Ed25519PrivateKey:
    """The Ed25519 key in an nkey's seed.

    Raises:
        Rejected: `bad_nkey`.

    Source: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth

    """
    if nkey_file is None:
        raise Rejected(
            JobRefusal.BAD_NKEY, "COUNTERSIGN_NKEY_FILE is needed: redemptions are signed"
        )
    try:
        text = nkey_file.read_text(encoding="ascii").strip()
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (OSError, ValueError, binascii.Error) as error:
        raise Rejected(
            JobRefusal.BAD_NKEY, f"{str(nkey_file)!r} holds no seed of an nkey"
        ) from error
    if len(raw) != _SEED_BYTES:
        raise Rejected(JobRefusal.BAD_NKEY, f"{str(nkey_file)!r} holds no seed of an nkey")
    return Ed25519PrivateKey.from_private_bytes(raw[2:34])


class SigningRedeemer:
    """A `Redeemer` over the bus. It sees the delegation only sealed.

    Args:
        bus: to approval.
        key: reads ours, as it is by now: it is replaced while we run.
        clock: when it is signed.
        random_bytes: so many, for nonces.

    """

    def __init__(
        self,
        bus: Asker,
        *,
        key: Callable[[], Ed25519PrivateKey],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._bus = bus
        self._key = key
        self._clock = clock
        self._random_bytes = random_bytes

    async def redeem(self, job: OpenJob, *, public_key: bytes) -> tuple[RedeemRequest, bytes]:
        reply = self._bus.reply_subject()
        unsigned = RedeemRequest(
            replica=job.consent.replica,
            approval_id=job.consent.approval_id,
            promotion_id=job.request.promotion.promotion_id,
            attempt=job.attempt,
            consent_digest=job.consent.digest,
            public_key=public_key,
            nonce=self._random_bytes(NONCE_BYTES),
            signed_at=self._clock(),
            reply=reply,
            signature=UNSIGNED,
        )
        signature = self._key().sign(canonical_bytes(unsigned))
        request = unsigned.model_copy(update={"signature": signature})
        response = await self._bus.request(
            "approval.redeem", request, replica=job.consent.replica, timeout_s=REDEEM_S, reply=reply
        )
        if not isinstance(response, RedeemResponse):
            raise Rejected(JobRefusal.BAD_ANSWER, "the approval service answered something else")
        if response.problem is not None:
            raise _refusal(response.problem, tries=job.tries)
        return request, response.sealed


def _refusal(problem: Problem, *, tries: int) -> Rejected | Retryable:
    if problem.code in PASSING:
        after_s = ASK_AGAIN_S[min(tries, len(ASK_AGAIN_S)) - 1]
        return Retryable(JobRefusal(problem.code), problem.message, after_s=after_s)
    if problem.code in OWN_WORDS:
        return Rejected(JobRefusal(problem.code), problem.message)
    return Rejected(
        JobRefusal.DELEGATION_EXPIRED,
        f"the delegation cannot be had any more: {problem.message}; approve again",
    )
