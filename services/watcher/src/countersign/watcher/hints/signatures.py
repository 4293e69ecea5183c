"""Checks that a request was signed with one of the keys that may sign it.

The same number of HMACs is computed whatever there is: none, one or two keys, a good header or
none. So nobody learns from the time an answer takes for what a key exists.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.secret import Secret

# As pipeline-controller takes them; Flux always sends sha256.
ALGORITHMS: Final = frozenset({"sha224", "sha256", "sha384", "sha512"})
# The Pipeline's own key, and the environment's.
KEYS_TRIED: Final = 2
FRESH_S: Final = 300
# Of signatures over path and time, while they are fresh. Beyond that many the oldest could be
# sent again; what they lead to is another look, and no more.
REMEMBERED_MAX: Final = 10_000
_TIMESTAMP_DIGITS_MAX: Final = 12
# Signs nothing; stands in where there is no key.
_NOBODY: Final = b"countersign"

Mac = Callable[[bytes, bytes, str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A request as it came; with a `timestamp` the signature covers that and the path as well."""

    body: bytes
    path: bytes
    signature: str
    timestamp: str | None = None

    @property
    def text(self) -> bytes:
        """The bytes that were signed."""
        if self.timestamp is None:
            return self.body
        return self.timestamp.encode() + b"\n" + self.path + b"\n" + self.body


class Signatures:
    """Checks signatures, and remembers those that may be used only once."""

    def __init__(self, *, clock: Callable[[], float], mac: Mac = hmac.digest) -> None:
        self._clock = clock
        self._mac = mac
        self._used: BoundedDict[bytes, float] = BoundedDict(REMEMBERED_MAX)

    def accepts(self, signed: Signed, *, keys: Sequence[Secret | None]) -> bool:
        """Check a signature, and use it up where it may be used once.

        Args:
            signed: the request.
            keys: at most `KEYS_TRIED`; one that is absent or empty signs nothing.

        """
        algorithm, told = _parse(signed.signature)
        tried = [*keys, *(None,) * KEYS_TRIED][:KEYS_TRIED]
        good = False
        for key in tried:
            there = key is not None and bool(key)
            secret = key.reveal().encode(errors="surrogateescape") if key and there else _NOBODY
            found = self._mac(secret, signed.text, algorithm).hex()
            good |= hmac.compare_digest(found.encode(), told.encode()) and there
        return good and self._is_first(signed)

    def _is_first(self, signed: Signed) -> bool:
        """Tell whether it is fresh and unused; one over the body alone always is."""
        if signed.timestamp is None:
            return True
        now = self._clock()
        stamp = signed.timestamp
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _TIMESTAMP_DIGITS_MAX):
            return False
        if abs(now - int(stamp)) > FRESH_S:
            return False
        self._used.discard_while(lambda until: until < now)
        # Not the signature: the same text can be signed with four algorithms.
        digest = hashlib.sha256(signed.text).digest()
        if digest in self._used:
            return False
        self._used[digest] = now + 2 * FRESH_S
        return True


def _parse(header: str) -> tuple[str, str]:
    """Algorithm and digits; without them an algorithm all the same, so that the work is."""
    algorithm, equals, digits = header.partition("=")
    if not equals or "=" in digits or algorithm not in ALGORITHMS:
        return "sha256", ""
    return algorithm, digits.lower()
