"""The executor's half of a redemption: a key made for it alone, and the opening of the answer."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from countersign.contracts.consent.redemption import hpke_info
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import RedeemRequest
from countersign.contracts.secret import Secret
from countersign.pr_writer.jobs.model import OpenJob
from countersign.pr_writer.jobs.refusals import JobRefusal

SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def make_key() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def public_bytes(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def open_sealed(
    sealed: bytes, *, key: X25519PrivateKey, request: RedeemRequest, job: OpenJob
) -> Secret:
    """The delegated token.

    Raises:
        Rejected: `consent_mismatch`; it was sealed for another job, or to another key.

    """
    bound = (
        request.approval_id == job.consent.approval_id
        and request.promotion_id == job.request.promotion.promotion_id
        and request.attempt == job.attempt
        and request.consent_digest == job.consent.digest
        and request.public_key == public_bytes(key)
    )
    if not bound:
        raise Rejected(JobRefusal.CONSENT_MISMATCH, "the delegation was redeemed for another job")
    try:
        return Secret(SUITE.decrypt(sealed, key, hpke_info(request)).decode())
    except (InvalidTag, ValueError):
        raise Rejected(
            JobRefusal.CONSENT_MISMATCH, "the delegation does not open with our key"
        ) from None
