"""Signatures that a destination checks by: Standard Webhooks, HMAC-SHA256.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from countersign.contracts.secret import Secret

PREFIX: Final = "whsec_"


def signature_headers(secret: Secret, *, event_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Headers that prove who sent the body, under which id, and when."""
    signed = f"{event_id}.{at_s}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: Secret) -> bytes:
    """The bytes behind `whsec_…`; any other secret is taken as it is written."""
    text = secret.reveal()
    if text.startswith(PREFIX):
        try:
            return base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            pass
    return text.encode()
