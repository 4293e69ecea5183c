"""Signatures of redemptions, made with the nkeys of the pr-writers, which are Ed25519 keys."""

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from countersign.contracts.consent.redemption import canonical_bytes
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import RedeemRequest

WRITERS_MAX: Final = 16
_NKEY_BYTES: Final = 35
_USER_PREFIX: Final = 20 << 3


class Writers:
    """The pr-writers, by their public nkeys.

    Args:
        read: tells them as they are by now: keys are replaced while we run.

    """

    def __init__(self, read: Callable[[], tuple[str, ...]]) -> None:
        self._read = read

    def refuse_forged(self, request: RedeemRequest) -> None:
        """Refuse what no writer known here signed.

        Raises:
            Rejected: `not_allowed`.

        """
        try:
            keys = [public_key_of(key) for key in self._read()]
        except (OSError, ValueError) as error:
            raise Rejected(ConsentRefusal.NOT_ALLOWED, f"no pr-writer is known: {error}") from None
        signed = canonical_bytes(request)
        if not any(_is_signed_by(key, signed, request.signature) for key in keys):
            raise Rejected(
                ConsentRefusal.NOT_ALLOWED, "no pr-writer known here signed the redemption"
            )


def writers_in(path: Path) -> tuple[str, ...]:
    """Return the public nkeys that a file lists, separated by commas.

    Raises:
        ValueError: it holds none, or what is none.
        OSError: it cannot be read.

    """
    keys = tuple(part.strip() for part in path.read_text("utf-8").split(",") if part.strip())
    if not 1 <= len(keys) <= WRITERS_MAX:
        raise ValueError(f"{path} lists {len(keys)} keys; 1 to {WRITERS_MAX} are needed")
    for key in keys:
        public_key_of(key)
    return keys


def public_key_of(nkey: str) -> Ed25519PublicKey:
    """The key in a user's public nkey: base32 of a prefix, the key, and a checksum.

    Raises:
        ValueError: it is none.

    Source: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth

    """
    try:
        raw = base64.b32decode(nkey + "=" * (-len(nkey) % 8))
    except binascii.Error:
        raw = b""
    body, checksum = raw[:-2], raw[-2:]
    whole = len(raw) == _NKEY_BYTES and body[0] == _USER_PREFIX
    if not whole or binascii.crc_hqx(body, 0).to_bytes(2, "little") != checksum:
        raise ValueError(f"{nkey!r} is not the public nkey of a user")
    return Ed25519PublicKey.from_public_bytes(body[1:])


def _is_signed_by(key: Ed25519PublicKey, signed: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True
