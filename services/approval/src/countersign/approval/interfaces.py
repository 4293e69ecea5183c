"""The ports: what the service needs of forges, the cluster, the bus and other replicas."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.message import Message
from countersign.contracts.messages import ForgeUser, Person, PromotionRequested, TokenKind
from countersign.contracts.promotion import Promotion
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.device import DeviceCode, Pending
from countersign.dialects.delegation.oauth import Challenge, Delegated, Grant, Narrowed

Clock = Callable[[], datetime]


class Publisher(Protocol):
    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> object: ...


class Replicas(Protocol):
    async def is_gone(self, replica: str) -> bool:
        """Say if nobody answers for it; a slow or unreachable one is not gone."""


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
    """The sender of a request, and the subject of its answer, as the bus says."""

    @property
    def service(self) -> str: ...
    @property
    def reply(self) -> str: ...


class OAuth(Protocol):
    """Delegation at one forge. All fail with words of `DelegationRefusal`."""

    @property
    def issuers(self) -> frozenset[str]: ...
    @property
    def narrows(self) -> bool:
        """Say if it makes a token for one repository out of a person's."""
        ...

    @property
    def revokes(self) -> bool:
        """Say if a token can be ended before its time."""
        ...

    @property
    def token_kind(self) -> TokenKind: ...

    def scopes_of(self, delegated: Delegated) -> tuple[str, ...]:
        """All that what is handed out may do; empty where the forge names nothing."""
        ...

    def refuse_unaccepted(self) -> None:
        """Refuse to ask for more than the administrator accepted."""

    def authorize_url(self, challenge: Challenge) -> str:
        """Return where the browser goes."""
        ...

    async def exchange(self, grant: Grant) -> Delegated: ...

    async def begin_device(self) -> DeviceCode:
        """Begin a sign-in by a code that the person types at the forge."""
        ...

    async def poll_device(self, code: Secret) -> Delegated | Pending:
        """Ask whether the person has typed it."""
        ...

    def refuse_unfit(self, delegated: Delegated) -> None:
        """Refuse a token that lives too long or may do too much."""

    async def whose(self, token: Secret, *, owner: str) -> ForgeUser:
        """Return whose it is, among the people of that owner of repositories."""
        ...

    async def narrow(self, token: Secret, *, owner: str, repository: str) -> Narrowed:
        """Make a token that reaches this repository alone, as the forge itself proves."""
        ...

    async def revoke(self, token: Secret) -> None:
        """End it. One that has ended already is no error."""


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
        """Return our application at a forge.

        Raises:
            Rejected: `forge_not_listed`, `no_client`.

        """
        if origin not in self._listed:
            raise Rejected(
                ConsentRefusal.FORGE_NOT_LISTED,
                f"forge {origin!r} is not on the forge list; ask the administrator to add it",
            )
        application = self._registered.get(origin)
        if application is None:
            name = self._listed[origin].name
            raise Rejected(
                ConsentRefusal.NO_CLIENT,
                f"no application is registered at {name!r}; ask the administrator to register one",
            )
        return application

    def merges_itself(self, request: PromotionRequested) -> bool:
        """Say if the forge is to merge by itself what is opened for this."""
        forge = self._listed.get(request.destination.origin)
        return forge is not None and forge.pull_requests.merges_itself(request.auto_merge)
