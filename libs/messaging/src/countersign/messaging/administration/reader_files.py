"""Readers as files: `<name>.nk` holds the seed, for the tool; `<name>.json` the server's side."""

import json
from pathlib import Path

from countersign.contracts.errors import Rejected
from countersign.messaging.administration.server_config import public_key
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.readers import NAMESPACES_MAX, Reader, is_name


def add(directory: Path, name: str, *, namespaces: tuple[str, ...] = ()) -> Reader:
    """Make a reader and its seed; of one that is there, keep the seed and change the namespaces.

    Raises:
        Rejected: `bad_request`.

    """
    if not is_name(name):
        raise Rejected(
            BusRefusal.BAD_REQUEST,
            f"reader {name!r}: give a name of a-z, 0-9 and '-', at most 32 characters",
        )
    if len(namespaces) > NAMESPACES_MAX or not all(namespaces):
        raise Rejected(
            BusRefusal.BAD_REQUEST, f"reader {name!r}: give 1 to {NAMESPACES_MAX} namespaces"
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = public_key(seed_of(directory, name))
    reader = Reader(name=name, public_key=key, namespaces=tuple(sorted(set(namespaces))))
    body = {"publicKey": reader.public_key, "namespaces": list(reader.namespaces)}
    _record_of(directory, name).write_text(json.dumps(body) + "\n", encoding="utf-8")
    return reader


def load(directory: Path) -> tuple[Reader, ...]:
    """Read all of a directory, by name; none where there is no such directory.

    Raises:
        Rejected: `malformed`.

    """
    return tuple(_read(path) for path in sorted(directory.glob("*.json")))


def revoke(directory: Path, name: str) -> None:
    """Forget a reader and its seed; the server refuses its key once it has the new configuration.

    Raises:
        Rejected: `not_found`.

    """
    record = _record_of(directory, name)
    if not is_name(name) or not record.is_file():
        raise Rejected(BusRefusal.NOT_FOUND, f"there is no reader {name!r} in {str(directory)!r}")
    record.unlink()
    seed_of(directory, name).unlink(missing_ok=True)


def seed_of(directory: Path, name: str) -> Path:
    return directory / f"{name}.nk"


def _record_of(directory: Path, name: str) -> Path:
    return directory / f"{name}.json"


def _read(path: Path) -> Reader:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        reader = Reader(
            name=path.stem,
            public_key=str(body["publicKey"]),
            namespaces=tuple(map(str, body["namespaces"])),
        )
    except (ValueError, KeyError, TypeError) as error:
        word = type(error).__name__
        raise Rejected(BusRefusal.MALFORMED, f"{path}: no reader ({word}); add it anew") from None
    if not is_name(reader.name) or not reader.public_key.isalnum():
        raise Rejected(BusRefusal.MALFORMED, f"{path}: no reader; add it anew")
    return reader
