"""Seals and archives: files of the administrator, a JSON object a line."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from countersign.contracts.errors import Rejected
from countersign.contracts.record.chain import Seal, StoredEvent
from countersign.contracts.record.retold import read_row
from countersign.contracts.record.rows import RecordRow
from countersign.setup.refusals import SetupRefusal


def read_seals(path: Path) -> list[Seal]:
    """Read all seals; none where there is no such file yet.

    Raises:
        Rejected: `malformed`, `unreadable`.

    """
    return [Seal.parse(line) for line in _lines(path)] if path.exists() else []


def read_events(archives: Sequence[Path]) -> Iterator[StoredEvent]:
    """Read archives one after the other.

    Raises:
        Rejected: `malformed`, `unreadable`.

    """
    for path in archives:
        yield from map(StoredEvent.parse, _lines(path))


def read_rows(path: Path) -> Iterator[RecordRow]:
    """Read rows that were exported as JSON Lines.

    Raises:
        Rejected: `malformed`, `unreadable`.

    """
    yield from map(read_row, _lines(path))


def append_seal(path: Path, seal: Seal) -> None:
    """Add a seal, and see that it is on the disk.

    Raises:
        Rejected: `unreadable`; it cannot be written.

    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(seal.line() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Rejected(SetupRefusal.UNREADABLE, f"{path}: {error.strerror}") from None


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from (line for line in file if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Rejected(SetupRefusal.UNREADABLE, f"{path}: {reason}") from None
