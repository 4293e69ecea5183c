"""Keys of promotion hints: where they are, and how long one that was read is used.

A key is the value `hmac-key` of a Secret that a Pipeline names; nothing else of it is looked at.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import SecretRef
from countersign.contracts.secret import Secret
from countersign.kube.access.api import ClusterApi
from countersign.kube.access.stored_secrets import read_secret as read_stored_secret
from countersign.process.secret_files import read_secret, token_files
from countersign.telemetry.logs import get_logger
from countersign.watcher.interfaces import HmacKeys

log = get_logger()

KEY: Final = "hmac-key"
# A new key counts after that; that there is none as well, or that nobody answers.
KEPT_S: Final = 10.0
KEPT_MAX: Final = 2048
LOOKUPS_AT_ONCE_MAX: Final = 4
# What is no text was decoded with loss; such a key would be weaker than it looks.
_NO_TEXT: Final = "\ufffd"


class FolderKeys:
    """Reads keys of Secrets as they are mounted: `<folder>/<namespace>/<name>/hmac-key`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, secret: SecretRef) -> Secret | None:
        beside = token_files(self._folder, namespace=secret.namespace, name=secret.name)
        return read_secret(beside[0].with_name(KEY)) if beside else None


class ClusterKeys:
    """Reads keys in Secrets of the API server, each by its name."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    async def read(self, secret: SecretRef) -> Secret | None:
        found = await read_stored_secret(self._api, namespace=secret.namespace, name=secret.name)
        return found.keys.get(KEY)


class KeptKeys:
    """Asks others, and remembers for seconds what they said."""

    def __init__(self, keys: HmacKeys, *, lookup_s: float, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._lookup_s = lookup_s
        self._clock = clock
        self._kept: BoundedDict[tuple[str, str], tuple[Secret | None, float]] = BoundedDict(
            KEPT_MAX
        )
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE_MAX)

    async def read(self, secret: SecretRef) -> Secret | None:
        """Return the key; none also while nobody can say, which is remembered too."""
        try:
            async with asyncio.timeout(self._lookup_s), self._lookups:
                kept = self._kept.get((secret.namespace, secret.name))
                if kept is not None and kept[1] > self._clock():
                    return kept[0]
                return self._keep(secret, await self._ask(secret))
        except TimeoutError:
            log.warning("hook_key.late", namespace=secret.namespace, secret=secret.name)
            return self._keep(secret, None)

    async def _ask(self, secret: SecretRef) -> Secret | None:
        try:
            key = await self._keys.read(secret)
        except (Rejected, Retryable) as error:
            log.warning(
                "hook_key.unread",
                namespace=secret.namespace,
                secret=secret.name,
                reason=error.reason,
                message=error.message,
            )
            return None
        return key if is_usable(key) else None

    def _keep(self, secret: SecretRef, key: Secret | None) -> Secret | None:
        place = (secret.namespace, secret.name)
        self._kept[place] = (key, self._clock() + KEPT_S)
        return key


def is_usable(key: Secret | None) -> bool:
    return key is not None and bool(key) and _NO_TEXT not in key.reveal()
