"""Secrets as files: `<directory>/<namespace>/<secret>/<key>`, as a mounted Secret is."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from countersign.auditor.interfaces import Mark, Reading
from countersign.auditor.model import CredentialKey
from countersign.contracts.errors import Rejected
from countersign.process.secret_files import AUTHORITY_KEY, read_credential, token_files

_State = tuple[tuple[str, int, int], ...]


class MountedSecrets:
    """Reads at each question, so a renewed Secret is seen without a restart.

    Args:
        directory: where the Secrets are.
        mark: tells one token from the next.

    """

    def __init__(self, directory: Path, *, mark: Mark) -> None:
        self._directory = directory
        self._mark = mark
        self._seen: dict[CredentialKey, _State] = {}

    async def read(self, key: CredentialKey) -> Reading:
        self._seen[key] = state = self._state(key)
        # Of the first key that is there, which is the token's.
        changed_ns = state[0][1] if state else 0
        changed_at = datetime.fromtimestamp(changed_ns / 1e9, UTC)
        try:
            found = read_credential(self._directory, namespace=key.namespace, name=key.name)
        except Rejected as error:
            return Reading(changed_at=changed_at, detail=error.message)
        return Reading(
            changed_at=changed_at,
            token=found.token,
            username=found.username,
            authority=found.authority,
            mark=self._mark(found.token),
        )

    async def changed(self, keys: Iterable[CredentialKey]) -> frozenset[CredentialKey]:
        return frozenset(key for key in keys if self._seen.get(key) != self._state(key))

    def _state(self, key: CredentialKey) -> _State:
        """Return what would change with the files; kubelet swaps a symbolic link above them."""
        found: list[tuple[str, int, int]] = []
        files = token_files(self._directory, namespace=key.namespace, name=key.name)
        for path in (*files, *(file.with_name(AUTHORITY_KEY) for file in files[:1])):
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((path.name, stat.st_mtime_ns, stat.st_ino))
        return tuple(found)
