"""What the service needs of the world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.message import Message
from countersign.contracts.messages import Person
from countersign.contracts.promotion import Promotion
from countersign.dialects.oauth import OAuth

Clock = Callable[[], datetime]


class Publisher(Protocol):
    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> object: ...


class Replicas(Protocol):
    async def is_gone(self, replica: str) -> bool:
        """Whether nobody answers for it; a slow or unreachable one is not gone."""


class Authorizer(Protocol):
    async def refuse(self, person: Person, promotion: Promotion, *, fresh: bool = False) -> None:
        """Refuse who may not promote; asked when consent begins, ends, and is redeemed.

        An answer of some seconds ago does unless it is to be `fresh`.

        Raises:
            NotPermitted: with what would permit it.
            Retryable: `cluster_unavailable`; nobody may while nobody can be asked.

        """


class ReceivedEvent(Protocol):
    @property
    def message(self) -> Message: ...
    @property
    def trace(self) -> Mapping[str, str]: ...


class Caller(Protocol):
    """Who sent a request, and where its answer goes, as the bus says."""

    @property
    def service(self) -> str: ...
    @property
    def reply(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Application:
    """Our registration at one forge."""

    forge: Forge
    oauth: OAuth


class Applications:
    """The forges at which a person can delegate."""

    def __init__(self, *, listed: tuple[Forge, ...], registered: tuple[Application, ...]) -> None:
        self._listed = {forge.origin: forge for forge in listed}
        self._registered = {a.forge.origin: a for a in registered}

    def find(self, origin: str) -> Application:
        """
        Raises:
            Rejected: `forge_not_listed`, `no_client`.

        """
        if origin not in self._listed:
            raise Rejected(
                "forge_not_listed",
                f"forge {origin!r} is not on the forge list; ask the administrator to add it",
            )
        application = self._registered.get(origin)
        if application is None:
            name = self._listed[origin].name
            raise Rejected(
                "no_client",
                f"no application is registered at {name!r}; ask the administrator to register one",
            )
        return application
