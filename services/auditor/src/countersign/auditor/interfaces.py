"""What the service needs of the world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from countersign.auditor.model import CredentialKey
from countersign.contracts.forge_list import Forge
from countersign.contracts.message import Message
from countersign.contracts.secret import Secret
from countersign.forges.github.inspection import Inspection

Clock = Callable[[], datetime]
Jitter = Callable[[], float]


class Publisher(Protocol):
    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> object: ...


class ReceivedEvent(Protocol):
    @property
    def message(self) -> Message: ...
    @property
    def trace(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A Secret as it is now.

    Args:
        token: none when it is not there.
        missing: why not, for a person.
        mark: differs when the token does; made with a key that this process alone knows.
        changed_at: when it was last written.

    """

    changed_at: datetime
    token: Secret | None = None
    missing: str = ""
    mark: str = ""


class Secrets(Protocol):
    def read(self, key: CredentialKey) -> Reading:
        """Read it anew."""

    def changed(self, key: CredentialKey) -> bool:
        """Whether it may have changed since it was last read; cheap."""


class Prober(Protocol):
    async def probe(self, forge: Forge, token: Secret) -> Inspection:
        """Ask the forge once; never raises for what the forge answers or fails to."""
