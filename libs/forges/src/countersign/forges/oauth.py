"""Delegation at one forge of any kind: its dialect, held as conversations."""

from collections.abc import Callable
from datetime import datetime, timedelta

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import ForgeUser, TokenKind
from countersign.contracts.secret import Secret
from countersign.dialects.capabilities import Capabilities
from countersign.dialects.delegation import fitness
from countersign.dialects.delegation.device import DeviceCode, Pending
from countersign.dialects.delegation.oauth import (
    Challenge,
    Delegated,
    Grant,
    Narrowed,
    OAuthDialect,
    Registration,
    SignInByCode,
    Target,
)
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Answer, Sent
from countersign.dialects.kinds import kind_of
from countersign.dialects.refusals import ForgeRefusal
from countersign.forges.conversations import converse
from countersign.forges.http import ForgeHttp


class OAuthClient:
    """Delegates at one forge.

    Args:
        http: the client of that forge.
        registration: our application there.
        now: the clock, for when a narrowed token ends.

    """

    def __init__(
        self, http: ForgeHttp, registration: Registration, *, now: Callable[[], datetime]
    ) -> None:
        row = kind_of(http.forge)
        self._dialect: OAuthDialect = row.oauth
        self._http = http
        self._registration = registration
        self._now = now
        self.capabilities: Capabilities = row.capabilities
        self.issuers = row.oauth.issuers(http.forge)

    @property
    def narrows(self) -> bool:
        return self._dialect.narrow is not None

    @property
    def revokes(self) -> bool:
        return self._dialect.revoke is not None

    @property
    def proves(self) -> bool:
        return self._dialect.prove is not None

    @property
    def token_kind(self) -> TokenKind:
        return self._dialect.token_kind

    def scopes_of(self, delegated: Delegated) -> tuple[str, ...]:
        """All that what is handed out may do; empty where the forge names nothing."""
        told = self._dialect.permissions if self.narrows else delegated.scopes
        return tuple(sorted(told or ()))

    def authorize_url(self, challenge: Challenge) -> str:
        return self._dialect.authorize_url(self._registration, challenge)

    def refuse_unaccepted(self) -> None:
        """Refuse to ask anybody for more than the administrator accepted.

        Raises:
            Rejected: `token_too_strong`.

        """
        fitness.refuse_unaccepted(self.capabilities, self._http.forge)

    def refuse_unfit(self, delegated: Delegated) -> None:
        """Refuse a token that lives too long or may do too much.

        Raises:
            Rejected: `token_too_long_lived`, `token_too_strong`.

        """
        self.refuse_unaccepted()
        fitness.refuse_unfit(delegated, self._dialect, forge=self._http.forge)

    async def exchange(self, grant: Grant) -> Delegated:
        """Give the code, once, for the token.

        Raises:
            Rejected: `expired` (the code), `no_client` (our registration is wrong), `denied`,
                `forge_unavailable`.

        """
        return await converse(self._send, self._dialect.exchange(self._registration, grant))

    async def begin_device(self) -> DeviceCode:
        """Begin a sign-in by a code that the person types at the forge.

        Raises:
            Rejected: `no_client`, `forge_unavailable`.

        """
        return await converse(self._send, self._by_code.begin(self._registration))

    async def poll_device(self, code: Secret) -> Delegated | Pending:
        """Ask, once, whether the person has typed it.

        Raises:
            Rejected: `expired`, `denied`, `no_client`, `forge_unavailable`.

        """
        return await converse(self._send, self._by_code.poll(self._registration, code))

    @property
    def _by_code(self) -> SignInByCode:
        if self._dialect.by_code is None:
            raise TypeError(f"{self._registration.where} knows no sign-in by code")
        return self._dialect.by_code

    async def whose(self, token: Secret, *, owner: str) -> ForgeUser:
        """Ask whose token it is, among the people of that owner of repositories."""
        return await converse(self._send, self._dialect.whose(self._registration, token, owner))

    async def narrow(self, token: Secret, *, owner: str, repository: str) -> Narrowed:
        """Make a token that reaches this repository alone.

        Raises:
            Rejected: `cannot_write`, `token_too_strong`, `token_too_long_lived`, `denied`.

        """
        if self._dialect.narrow is None:
            raise TypeError(f"{self._registration.where} narrows no tokens")
        ends_by = self._now() + timedelta(seconds=fitness.LIFETIME_S_MAX)
        target = Target(owner=owner, repository=repository, ends_by=ends_by)
        return await converse(self._send, self._dialect.narrow(self._registration, token, target))

    async def revoke(self, token: Secret) -> None:
        """End a token.

        Raises:
            Rejected: `no_client`, `refused`.
            Retryable: `forge_unavailable`.

        """
        if self._dialect.revoke is None:
            raise TypeError(f"{self._registration.where} ends no tokens")
        await converse(self._send, self._dialect.revoke(self._registration, token))

    async def prove(self) -> None:
        """Show our name and secret.

        Raises:
            Rejected: `no_client`.
            Retryable: `forge_unavailable`.

        """
        if self._dialect.prove is None:
            raise TypeError(f"{self._registration.where} tells it when a code is exchanged")
        await converse(self._send, self._dialect.prove(self._registration))

    async def _send(self, sent: Sent) -> Answer:
        """Send; what the forge's own trouble is called towards a person is the same for all."""
        try:
            return await self._http.send(sent.request, sent.token)
        except Retryable as error:
            raise Retryable(
                DelegationRefusal.FORGE_UNAVAILABLE, error.message, after_s=error.after_s
            ) from None
        except Rejected as error:
            denied = error.reason in {ForgeRefusal.UNAUTHORIZED, ForgeRefusal.FORBIDDEN}
            word = DelegationRefusal.DENIED if denied else DelegationRefusal.FORGE_UNAVAILABLE
            raise Rejected(word, error.message) from None
