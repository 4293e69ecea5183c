"""The ports: what the service needs of Secrets, forges, the bus, clock and dice."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from countersign.auditor.model import CredentialKey
from countersign.contracts.forge_list import Forge
from countersign.contracts.message import Message
from countersign.contracts.messages import TokenReason
from countersign.contracts.secret import Secret
from countersign.dialects.inspection import Inspection

Clock = Callable[[], datetime]
Jitter = Callable[[], float]
Mark = Callable[[Secret], str]
Wake = Callable[[Iterable[CredentialKey]], None]


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
        changed_at: when it was last written.
        token: none when it is not there.
        username: the name that its forge may want with it.
        authority: who vouches for the forge, in PEM, where the Secret says so.
        why: the reason that there is no token.
        detail: the same, for a person.
        mark: differs when the token does; made with a key that this process alone knows.

    """

    changed_at: datetime
    token: Secret | None = None
    username: str = ""
    authority: str = ""
    why: TokenReason = TokenReason.SECRET_MISSING
    detail: str = ""
    mark: str = ""


class Secrets(Protocol):
    async def read(self, key: CredentialKey) -> Reading:
        """Read it anew.

        Raises:
            Retryable: it cannot be read now.

        """
        ...

    async def changed(self, keys: Iterable[CredentialKey]) -> frozenset[CredentialKey]:
        """Return those that may have changed since they were last read; cheap."""
        ...


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """A question about a token, before it is in a forge's words.

    Args:
        forge: who is asked.
        reading: the Secret with the token.
        account: whose limit the questions count against, as far as is known.
        owners: of the repositories that the token is for.
        before: the last answer about this very token.

    """

    forge: Forge
    reading: Reading
    account: str = ""
    owners: tuple[str, ...] = ()
    before: Inspection | None = None


class Prober(Protocol):
    def rest_until(self, inquiry: Inquiry) -> datetime | None:
        """Return until when the forge is left alone; none: it may be asked now."""
        ...

    async def probe(self, inquiry: Inquiry) -> Inspection:
        """Ask the forge once; never raises for what the forge answers or fails to."""
        ...
