"""Files that name who vouches for certificates, tried before they are needed."""

import ssl
from pathlib import Path

from countersign.process.faults.mounts import no_file


def as_authority(path: Path | None) -> Path | None:
    """Return it, if certificates can be read of it.

    Raises:
        ValueError: it is not there, or holds none.

    """
    if path is None:
        return None
    try:
        ssl.create_default_context(cafile=str(path))
    except FileNotFoundError:
        raise ValueError(no_file(path)) from None
    except OSError:
        raise ValueError(f"{str(path)!r} holds no certificates in PEM") from None
    return path
