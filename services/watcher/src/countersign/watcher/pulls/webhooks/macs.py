"""Signatures over the body alone: HMAC-SHA256 in hexadecimal, with or without a prefix."""

import hashlib
import hmac
from typing import Final

from countersign.contracts.secret import Secret
from countersign.watcher.pulls.webhooks.interface import Check, Delivery

HUB_PREFIX: Final = "sha256="


def mac_in(header: str, *, prefix: str = "") -> Check:
    """Whether that header has the HMAC of the raw body."""

    def is_signed(delivery: Delivery, secret: Secret, _now_s: float) -> bool:
        digest = hmac.new(secret.reveal().encode(), delivery.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(f"{prefix}{digest}".encode(), delivery.header(header))

    return is_signed
