"""Secrets of the API server, by name.

Whoever may only `get` cannot watch, so they are looked at in turn, by their metadata alone: the
answer to a look holds no token.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from countersign.auditor.interfaces import Mark, Reading
from countersign.auditor.model import CredentialKey
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import TokenReason
from countersign.kube.access.api import MetadataApi
from countersign.kube.access.stored_secrets import read_secret, secret_version
from countersign.kube.refusals import ClusterRefusal
from countersign.process.secret_files import credential_of
from countersign.telemetry.logs import get_logger

log = get_logger()

# A renewed Secret is noticed within this time, or where there are many, within as much as keeps the
# API server at so many questions a second; each is answered in a millisecond, by metadata alone.
LOOK_S: Final = 5.0
LOOKS_PER_S_MAX: Final = 20.0
LOOKS_AT_ONCE_MAX: Final = 4
_NEVER: Final = datetime.fromtimestamp(0, UTC)


class ApiSecrets:
    """Reads Secrets of the API server.

    Args:
        api: as this service's account.
        mark: tells one token from the next.
        monotonic_s: a clock that never goes back.

    """

    def __init__(self, api: MetadataApi, *, mark: Mark, monotonic_s: Callable[[], float]) -> None:
        self._api = api
        self._mark = mark
        self._monotonic_s = monotonic_s
        # The version read last, or why there was none; and when it was last looked at.
        self._seen: dict[CredentialKey, str] = {}
        self._looked_s: dict[CredentialKey, float] = {}
        # Up to when the time was used for looks.
        self._paid_s = monotonic_s()

    async def read(self, key: CredentialKey) -> Reading:
        self._looked_s[key] = self._monotonic_s()
        try:
            found = await read_secret(self._api, namespace=key.namespace, name=key.name)
        except Rejected as refusal:
            self._seen[key] = refusal.reason
            why = (
                TokenReason.SECRET_FORBIDDEN
                if refusal.reason == ClusterRefusal.SECRET_FORBIDDEN
                else TokenReason.SECRET_MISSING
            )
            return Reading(changed_at=_NEVER, why=why, detail=refusal.message)
        self._seen[key] = found.version
        try:
            credential = credential_of(found.keys)
        except Rejected as refusal:
            return Reading(changed_at=found.changed_at, detail=refusal.message)
        return Reading(
            changed_at=found.changed_at,
            token=credential.token,
            username=credential.username,
            authority=credential.authority,
            mark=self._mark(credential.token),
        )

    async def changed(self, keys: Iterable[CredentialKey]) -> frozenset[CredentialKey]:
        known = frozenset(keys)
        self._seen = {k: seen for k, seen in self._seen.items() if k in known}
        self._looked_s = {k: at_s for k, at_s in self._looked_s.items() if k in self._seen}
        now_s = self._monotonic_s()
        due = self._due(now_s)
        changed: set[CredentialKey] = set()
        try:
            for at in range(0, len(due), LOOKS_AT_ONCE_MAX):
                changed |= await self._look(due[at : at + LOOKS_AT_ONCE_MAX], now_s=now_s)
        except* Retryable as group:
            # The others would not be answered either.
            log.warning("secrets.not_looked_at", reason=str(group.exceptions[0]))
        return frozenset(changed)

    def _due(self, now_s: float) -> list[CredentialKey]:
        """Those that were looked at longest ago, no more than the time since then pays for."""
        earned = min(now_s - self._paid_s, LOOK_S) * LOOKS_PER_S_MAX
        waiting = sorted((s, k) for k, s in self._looked_s.items() if now_s - s >= LOOK_S)
        due = [key for _, key in waiting[: int(earned)]]
        # What is left over counts next time, as long as something waits.
        left = earned - len(due) if len(due) < len(waiting) else 0.0
        self._paid_s = now_s - left / LOOKS_PER_S_MAX
        return due

    async def _look(self, keys: Sequence[CredentialKey], *, now_s: float) -> set[CredentialKey]:
        self._looked_s.update(dict.fromkeys(keys, now_s))
        async with asyncio.TaskGroup() as group:
            looks = {key: group.create_task(self._version(key)) for key in keys}
        return {key for key, look in looks.items() if look.result() != self._seen[key]}

    async def _version(self, key: CredentialKey) -> str:
        try:
            return await secret_version(self._api, namespace=key.namespace, name=key.name)
        except Rejected as refusal:
            return refusal.reason
