"""Tells one token from the next without being one."""

import hashlib
import hmac

from countersign.contracts.secret import Secret


class Marking:
    """Makes marks of tokens.

    Args:
        key: random bytes of this process; marks made with it mean nothing elsewhere.

    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, token: Secret) -> str:
        return hmac.new(self._key, token.reveal().encode(), hashlib.sha256).hexdigest()
