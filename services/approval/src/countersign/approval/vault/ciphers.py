"""Secrets at rest in this process: ciphertext under a key that is made at its start.

What is in memory by accident (a freed page, a copy that the interpreter made) is then not the
token, except for the microseconds of its use.
"""

import itertools
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from countersign.contracts.secret import Secret

_NONCE_BYTES: Final = 12


@dataclass(frozen=True)
class Sealed:
    """A secret that only the cipher that made it can show."""

    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


class Cipher:
    def __init__(self) -> None:
        self._aead = ChaCha20Poly1305(ChaCha20Poly1305.generate_key())
        # A nonce must be another each time, not random: the key is this process's own and new.
        self._numbers = itertools.count()

    def seal(self, secret: Secret) -> Sealed:
        nonce = next(self._numbers).to_bytes(_NONCE_BYTES)
        return Sealed(nonce, self._aead.encrypt(nonce, secret.reveal().encode(), None))

    def open(self, sealed: Sealed) -> Secret:
        return Secret(self._aead.decrypt(sealed.nonce, sealed.ciphertext, None).decode())
