"""Secrets as files: `<directory>/<namespace>/<secret>/<key>`, as a mounted Secret is."""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from countersign.auditor.interfaces import Reading
from countersign.auditor.model import CredentialKey
from countersign.contracts.secret import Secret

BYTES_MAX: Final = 16 * 1024  # the longest token of any forge has about 2 KiB
# The first one that is there is the token of the API.
FILE_NAMES: Final = ("token", "password", "bearerToken")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NEVER: Final = datetime.fromtimestamp(0, UTC)
_State = tuple[tuple[str, int, int], ...]


class MountedSecrets:
    """Reads at each question, so a renewed Secret is seen without a restart.

    Args:
        directory: where the Secrets are.
        mark_key: random bytes of this process; marks made with it mean nothing elsewhere.

    """

    def __init__(self, directory: Path, *, mark_key: bytes) -> None:
        self._directory = directory
        self._mark_key = mark_key
        self._seen: dict[CredentialKey, _State] = {}

    def read(self, key: CredentialKey) -> Reading:
        self._seen[key] = self._state(key)
        if not _is_named_well(key):
            return Reading(changed_at=_NEVER, missing="its name is not one of a Secret")
        folder = self._directory / key.namespace / key.name
        for name in FILE_NAMES:
            path = folder / name
            try:
                changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                with path.open("rb") as file:
                    raw = file.read(BYTES_MAX + 1)
            except FileNotFoundError:
                continue
            except OSError as error:
                return Reading(changed_at=_NEVER, missing=f"{name!r}: {error.strerror}")
            return self._reading(raw, name=name, changed_at=changed_at)
        missing = f"it has no key {FILE_NAMES[0]!r}" if folder.is_dir() else "it is not there"
        return Reading(changed_at=_NEVER, missing=missing)

    def changed(self, key: CredentialKey) -> bool:
        return self._seen.get(key) != self._state(key)

    def _reading(self, raw: bytes, *, name: str, changed_at: datetime) -> Reading:
        text = raw.strip()
        if not text or len(raw) > BYTES_MAX:
            why = "empty" if not text else f"larger than {BYTES_MAX} bytes"
            return Reading(changed_at=changed_at, missing=f"its key {name!r} is {why}")
        return Reading(
            changed_at=changed_at,
            token=Secret(text.decode("utf-8", errors="replace")),
            mark=hmac.new(self._mark_key, text, hashlib.sha256).hexdigest(),
        )

    def _state(self, key: CredentialKey) -> _State:
        """What would change with the files; kubelet swaps a symbolic link above them."""
        found: list[tuple[str, int, int]] = []
        if not _is_named_well(key):
            return ()
        for name in FILE_NAMES:
            try:
                stat = (self._directory / key.namespace / key.name / name).stat()
            except OSError:
                continue
            found.append((name, stat.st_mtime_ns, stat.st_ino))
        return tuple(found)


def _is_named_well(key: CredentialKey) -> bool:
    """Names come with events; none may lead out of the directory."""
    return all(_NAME.fullmatch(part) and ".." not in part for part in key)
