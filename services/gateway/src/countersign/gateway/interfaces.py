"""Interfaces to the outside, in as few methods as the gateway needs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from countersign.contracts.message import Message
from countersign.contracts.messages import Person
from countersign.gateway.model import GateKey, May, PipelineKey

# As for the metric and its alert.
FILLS_FROM: Final = 0.8


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


class Dice(Protocol):
    """Random bytes that nobody can guess, as `secrets.token_bytes`."""

    def __call__(self, count: int, /) -> bytes: ...


class Pause(Protocol):
    """Sleeping, as `asyncio.sleep`."""

    def __call__(self, seconds: float, /) -> Awaitable[object]: ...


class SignIn(Protocol):
    """A way for people to prove who they are."""

    @property
    def choices(self) -> tuple[Person, ...]:
        """The people to choose from on a page; empty where people are sent elsewhere."""

    async def identify(self, answer: Mapping[str, str]) -> Person:
        """Return the person who gave this answer to the sign-in page.

        Raises:
            Rejected: `unknown_person`.

        """


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A person who came back from a provider, and the page they were going to."""

    person: Person
    to: str


class Provider(Protocol):
    """A provider that people are sent to for signing in."""

    @property
    def name(self) -> str:
        """Return it as a button names it."""

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that our forms may lead a browser to."""

    async def begin(self, *, session_id: str, to: str) -> str:
        """Return the address at which the browser signs in.

        Raises:
            Retryable: `provider_unavailable`.
            Rejected: `provider_refused`.

        """

    async def complete(self, answer: Mapping[str, str], *, session_id: str) -> SignedIn:
        """Return who came back; an answer counts once, in the browser in which it was begun.

        Raises:
            Retryable: `provider_unavailable`.
            Rejected: `sign_in_state`, `sign_in_denied`, `provider_refused`, `bad_id_token`,
                `bad_identity`, `client_secret`.

        """

    def farewell(self) -> str:
        """Return the address at which signing out goes on; empty if it ends with us."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The pipelines of a page, for which somebody needs the right to see and to promote."""

    namespaces: frozenset[str]
    # Those there, in order: one may be allowed to see some of them only.
    pipelines: tuple[PipelineKey, ...] = ()
    # Namespaces with the environments of pipelines there.
    environments: frozenset[tuple[str, str]] = frozenset()
    # Gates where there is something to do now.
    asking: tuple[GateKey, ...] = ()
    # How long a no is believed, in seconds; a yes is asked about anew much sooner.
    denial_s: float = 15.0


class Right(StrEnum):
    """A right that somebody can have."""

    SEE = "see"
    PROMOTE = "promote"
    CREDENTIALS = "credentials"


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A right that is missing, as one asks an administrator for it."""

    words: str
    # What grants exactly that, to be applied; empty where it is not granted so.
    manifest: str = ""


class Evidence(StrEnum):
    """The way in which it was learned who holds a right."""

    # Roles and bindings were read: nobody else has it by RBAC.
    BINDINGS = "bindings"
    # Groups that the administrator lists were asked about; others may have it too.
    GROUPS = "groups"
    # No cluster: everybody who may sign in and is no viewer.
    LOCAL = "local"
    # Nobody could be asked.
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, order=True)
class Holder:
    """Somebody who holds a right: a user, a group or a service account."""

    kind: str
    name: str
    namespace: str = ""
    # The binding that gives it.
    through: str = ""


@dataclass(frozen=True, kw_only=True)
class Holders:
    """Those who hold one right, as far as can be told."""

    evidence: Evidence
    holders: tuple[Holder, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Those who can bring something into an environment, and who can read its Secrets."""

    promoters: Holders
    readers: Mapping[str, Holders]


class Reviewer(Protocol):
    """Finds out who holds rights, for a person who reviews them."""

    async def reach(self, gate: GateKey, secrets: Sequence[str]) -> Reach:
        """Say who may promote there, and who may read those Secrets of its namespace.

        Raises:
            Retryable: `access_unknown`.

        """


class Access(Protocol):
    """Rights to see and promote; approval checks again when it matters.

    All but `learn` answer from what was learnt seconds ago, and say no to what was not.
    """

    async def learn(self, person: Person, scope: Callable[[], Scope]) -> None:
        """Find out before a page is made.

        Raises:
            Retryable: `access_unknown`; nobody says who may do what.

        """

    def may_see(self, person: Person, pipeline: PipelineKey) -> bool: ...

    def may_promote(self, person: Person, gate: GateKey) -> bool: ...

    def may_see_credentials(self, person: Person, *, namespace: str) -> bool: ...

    def audience(self, person: Person) -> str:
        """The same for all who may see and promote the same: they are shown the same."""

    def missing(self, person: Person, right: Right, gate: GateKey) -> Missing:
        """Name what would allow it, and no more; to see, the gate's environment does not count."""


def rights(access: Access, person: Person) -> May:
    return May(lambda gate: access.may_promote(person, gate), person.id)


@dataclass(frozen=True, kw_only=True)
class FeedStatus:
    """A statement of whether what is shown is current."""

    caught_up: bool
    connected: bool
    # Since when it is not.
    lost_at: datetime | None = None
    # Something that happened is known to be missing.
    behind: bool = False
    # How full the fullest stream is; none takes any more at 1.
    fullness: float = 0.0

    @property
    def fills(self) -> bool:
        """Tell whether a stream will be full before long; the services say so from here on too."""
        return self.fullness >= FILLS_FROM

    @property
    def current(self) -> bool:
        return self.caught_up and self.connected and not self.behind


class Feed(Protocol):
    """The source of the projection."""

    @property
    def status(self) -> FeedStatus: ...
