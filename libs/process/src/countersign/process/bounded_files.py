"""Files read whole, up to a size."""

from enum import StrEnum
from pathlib import Path

from countersign.contracts.errors import Rejected
from countersign.process.faults.mounts import no_file


def read_bounded(path: Path, *, bytes_max: int, reason: StrEnum) -> bytes:
    """Read a file of at most so many bytes.

    Raises:
        Rejected: for the `reason` given; it cannot be read, or is larger.

    """
    try:
        with path.open("rb") as file:
            body = file.read(bytes_max + 1)
    except FileNotFoundError:
        raise Rejected(reason, no_file(path)) from None
    except OSError as error:
        raise Rejected(reason, f"{path} cannot be read: {error.strerror}") from None
    if len(body) > bytes_max:
        raise Rejected(reason, f"{path} is larger than {bytes_max} bytes")
    return body
