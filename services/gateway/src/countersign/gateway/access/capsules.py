"""A session in a cookie of its own, encrypted, so that any replica can take it up.

Replicas that share a key read each other's. It holds who signed in and when, and never a token.
"""

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from countersign.contracts.messages import Person
from countersign.gateway.interfaces import Clock, Dice

# Browsers keep 4096 bytes with name and flags; who has more groups than fit stays at one replica.
# Source: https://www.rfc-editor.org/rfc/rfc6265#section-6.1
CHARACTERS_MAX: Final = 3500
# So much later it is written anew; a replica that takes it up knows no better when it was used.
FRESH: Final = timedelta(minutes=5)
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_TEXT_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Capsule:
    """The content of such a cookie; `session_id` binds it to the other cookie."""

    session_id: str
    person: Person
    created_at: datetime
    sealed_at: datetime


class Capsules:
    """Seals and opens them.

    Args:
        key: of all replicas, from which the one that encrypts is derived.
        clock: says when one is sealed.
        dice: random bytes.

    """

    def __init__(self, key: bytes, *, clock: Clock, dice: Dice) -> None:
        derived = HKDF(
            algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=None, info=b"countersign.capsule"
        ).derive(key)
        self._cipher = AESGCM(derived)
        self._clock = clock
        self._dice = dice

    def seal(self, *, session_id: str, person: Person, created_at: datetime) -> str:
        """Write one; empty where it would be too large for a browser."""
        fields = {
            "id": session_id,
            "person": [person.id, person.name, *person.groups],
            "created": created_at.timestamp(),
            "sealed": self._clock().timestamp(),
        }
        nonce = self._dice(_NONCE_BYTES)
        text = zlib.compress(json.dumps(fields, ensure_ascii=False).encode())
        sealed = nonce + self._cipher.encrypt(nonce, text, None)
        written = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        return written if len(written) <= CHARACTERS_MAX else ""

    def open(self, cookie: str) -> Capsule | None:
        """Read one of ours; none for anything else."""
        if not cookie or len(cookie) > CHARACTERS_MAX or not cookie.isascii():
            return None
        try:
            sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            text = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (ValueError, InvalidTag):
            return None
        # Only we can have written what comes now.
        fields = json.loads(zlib.decompressobj().decompress(text, _TEXT_BYTES_MAX))
        name, title, *groups = fields["person"]
        return Capsule(
            session_id=fields["id"],
            person=Person(id=name, name=title, groups=tuple(groups)),
            created_at=datetime.fromtimestamp(fields["created"], UTC),
            sealed_at=datetime.fromtimestamp(fields["sealed"], UTC),
        )
