"""What the gateway needs of others, in as few methods as it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from countersign.contracts.message import Message
from countersign.contracts.messages import Person
from countersign.gateway.model import May


class Requests(Protocol):
    """Request/reply on the bus."""

    async def request(
        self, method: str, request: Message, *, replica: str = "", timeout_s: float = 10
    ) -> Message:
        """The answer.

        Raises:
            Retryable: `no_responder` or `timeout`.

        """

    async def broadcast(self, method: str, request: Message) -> None:
        """Tell every replica; nobody answers."""


class Clock(Protocol):
    """The time of day, in UTC."""

    def __call__(self) -> datetime: ...


class SignIn(Protocol):
    """How a person proves who they are."""

    @property
    def choices(self) -> tuple[Person, ...]:
        """Who may be chosen from a page; empty where people are sent elsewhere."""

    async def identify(self, answer: Mapping[str, str]) -> Person:
        """Who gave this answer to the sign-in page.

        Raises:
            Rejected: `unknown_person`.

        """


class Access(Protocol):
    """Who may see and promote what; approval checks again when it matters."""

    def may_see(self, person: Person, *, namespace: str) -> bool: ...

    def may_promote(self, person: Person, *, namespace: str) -> bool: ...

    def audience(self, person: Person) -> str:
        """The same for all who may see and promote the same: they are shown the same."""

    def role_missing(self, *, namespace: str) -> str:
        """What to ask for, in words."""


def rights(access: Access, person: Person) -> May:
    return lambda namespace: access.may_promote(person, namespace=namespace)


@dataclass(frozen=True, kw_only=True)
class FeedStatus:
    """Whether what is shown is current."""

    caught_up: bool
    connected: bool
    # Since when it is not.
    lost_at: datetime | None = None

    @property
    def current(self) -> bool:
        return self.caught_up and self.connected


class Feed(Protocol):
    """Where the projection comes from."""

    @property
    def status(self) -> FeedStatus: ...
