"""Files read whole, up to a size."""

from enum import StrEnum
from pathlib import Path

from countersign.contracts.errors import Rejected


def read_bounded(path: Path, *, bytes_max: int, reason: StrEnum) -> bytes:
    """Read a file of at most so many bytes.

    Raises:
        Rejected: for the `reason` given; it cannot be read, or is larger.

    """
    try:
        with path.open("rb") as file:
            body = file.read(bytes_max + 1)
    except OSError as error:
        raise Rejected(reason, f"{path} cannot be read: {error.strerror}") from None
    if len(body) > bytes_max:
        raise Rejected(reason, f"{path} is larger than {bytes_max} bytes")
    return body
