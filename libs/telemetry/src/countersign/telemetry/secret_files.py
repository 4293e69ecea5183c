"""Files with one secret each. Apart from other files: the gateway reads none of these."""

from pathlib import Path
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.telemetry.configuration import read_bounded

# The longest key or token of any forge has a few KiB.
SECRET_BYTES_MAX: Final = 16 * 1024


def read_secret(path: Path, *, reason: str = "bad_secret") -> Secret:
    """Read it, without the spaces and line ends around it.

    Raises:
        Rejected: for the `reason` given.

    """
    body = read_bounded(path, bytes_max=SECRET_BYTES_MAX, reason=reason)
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        raise Rejected(reason, f"{path} is not text") from None
    if not text:
        raise Rejected(reason, f"{path} is empty")
    return Secret(text)
