"""Forms of several parts, as files are sent in. Pure.

Source: https://www.rfc-editor.org/rfc/rfc7578
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_NOT_IN_A_NAME: Final = frozenset('"\\') | {chr(code) for code in range(32)}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part; `names` are as they stand in its disposition, `kind` is the type of its bytes."""

    names: str
    body: bytes = field(repr=False)
    kind: str = ""

    @property
    def encoded(self) -> bytes:
        head = f"Content-Disposition: form-data; {self.names}\r\n"
        head += f"Content-Type: {self.kind}\r\n" if self.kind else ""
        return head.encode() + b"\r\n" + self.body


def is_name(text: str) -> bool:
    """Check that it can stand in a disposition, where nothing can be escaped."""
    return not _NOT_IN_A_NAME & set(text)


def text_part(name: str, text: str) -> Part:
    return Part(names=f'name="{name}"', body=text.encode())


def form_of(parts: Sequence[Part]) -> tuple[bytes, str]:
    """Return the bytes of a form and their type."""
    encoded = [part.encoded for part in parts]
    boundary = hashlib.sha256(b"".join(encoded)).hexdigest()
    line = f"--{boundary}".encode()
    content = b"".join(line + b"\r\n" + part + b"\r\n" for part in encoded) + line + b"--\r\n"
    return content, f"multipart/form-data; boundary={boundary}"
