"""The two values both ends of a redemption compute alike: the signed bytes, and HPKE's `info`.

The pr-writer signs `canonical_bytes` with its nkey (Ed25519); the approval service seals with
`hpke_info` and the executor opens with it, so an answer made for another approval, promotion,
attempt, consent, key, nonce or reply does not open. The suite is X25519, HKDF-SHA256,
ChaCha20-Poly1305; what is sent is the encapsulated key followed by the ciphertext.
Source: https://www.rfc-editor.org/rfc/rfc9180
"""

import base64
import json
from typing import Final

from countersign.contracts.messages import RedeemRequest

UNSIGNED: Final = b"unsigned"  # stands in `signature` until it is made
PUBLIC_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 16
_SIGNED_AS: Final = b"countersign/redeem/v1\n"
_SEALED_AS: Final = "countersign/sealed/v1"


def canonical_bytes(request: RedeemRequest) -> bytes:
    """Return the signed bytes: the canonical JSON of all fields but the signature itself."""
    body = request.model_dump_json(by_alias=True, exclude_defaults=True, exclude={"signature"})
    return _SIGNED_AS + body.encode()


def hpke_info(request: RedeemRequest) -> bytes:
    """The context that the sealed token is bound to."""
    context = [
        _SEALED_AS,
        request.approval_id,
        request.promotion_id,
        request.attempt,
        request.consent_digest,
        base64.b64encode(request.public_key).decode(),
        base64.b64encode(request.nonce).decode(),
        request.reply,
    ]
    return json.dumps(context, ensure_ascii=False).encode()
