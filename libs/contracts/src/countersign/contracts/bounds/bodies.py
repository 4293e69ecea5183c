"""Bodies of answers from outside, bounded: as they are, or compressed by gzip exactly once.

Libraries undo as many encodings as an answer names, each a thousandfold; a few kilobytes then keep
a process busy past every timeout.
"""

import zlib
from typing import Final

# Names of the encodings that are undone here; a client asks for no other.
ACCEPTED: Final = "gzip"
_IDENTITY: Final = frozenset({"", "identity"})
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class BodyError(ValueError):
    """A body is too large, or encoded in another way; what is in it is not told."""


class TooLargeError(BodyError):
    """A body is larger than what is read of it."""


class BoundedBody:
    """Takes a body in as it comes.

    Args:
        encoding: the answer's `Content-Encoding`.
        bytes_max: of the body, before and after it is unpacked.

    Raises:
        BodyError: the encoding is another than none or gzip, or there are several.

    """

    def __init__(self, encoding: str | None, *, bytes_max: int) -> None:
        name = (encoding or "").strip().lower()
        if name not in _IDENTITY | _GZIP:
            raise BodyError("the answer is encoded in a way that was not asked for")
        self._unpacking = zlib.decompressobj(_GZIP_WINDOW) if name in _GZIP else None
        self._bytes_max = bytes_max
        self._taken = 0
        self._content = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next part.

        Raises:
            BodyError: it is too large by now, or no gzip.

        """
        self._taken += len(chunk)
        if self._taken > self._bytes_max:
            raise self._too_large()
        if self._unpacking is None:
            self._content += chunk
            return
        # One byte more than may be left tells what is too large from what just fits.
        room = self._bytes_max - len(self._content) + 1
        try:
            self._content += self._unpacking.decompress(chunk, room)
        except zlib.error:
            raise BodyError("the answer is no gzip, though it says so") from None
        if len(self._content) > self._bytes_max:
            raise self._too_large()
        if self._unpacking.unused_data:
            raise BodyError("something follows the answer")

    def whole(self) -> bytes:
        """Return the body, which has come to its end.

        Raises:
            BodyError: its end is missing.

        """
        if self._unpacking is not None and self._taken and not self._unpacking.eof:
            raise BodyError("the answer was cut off")
        return bytes(self._content)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the answer is larger than {self._bytes_max} bytes")
