"""A forge that makes no children: what is handed out is the person's own token."""

from collections.abc import Callable
from datetime import datetime

from doubles.github_oauth import GitHubDouble, github

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser, TokenKind
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.device import DeviceCode, Pending
from countersign.dialects.delegation.oauth import Challenge, Delegated, Grant, Narrowed
from countersign.dialects.delegation.refusals import DelegationRefusal


class CoarseOAuth:
    """
    Args:
        revokes: whether the forge ends tokens.
        accepted: whether the administrator accepted how far they reach.
        registered: whether the entry says where people sign in.

    """

    narrows = False

    def __init__(
        self,
        forge: GitHubDouble,
        *,
        now: Callable[[], datetime],
        revokes: bool = True,
        accepted: bool = True,
        registered: bool = True,
    ) -> None:
        self._inner = github(forge, now=now)
        self.issuers = self._inner.issuers
        self.token_kind = TokenKind.OAUTH_APP
        self.revokes = revokes
        self.accepted = accepted
        self.registered = registered

    def refuse_unaccepted(self) -> None:
        if not self.accepted:
            raise Rejected(DelegationRefusal.TOO_STRONG, "the administrator does not accept it")

    def scopes_of(self, delegated: Delegated) -> tuple[str, ...]:
        return tuple(sorted(delegated.scopes or ()))

    def authorize_url(self, challenge: Challenge) -> str:
        if not self.registered:
            raise Rejected(DelegationRefusal.NO_CLIENT, "the entry does not say where")
        return self._inner.authorize_url(challenge)

    async def exchange(self, grant: Grant) -> Delegated:
        return await self._inner.exchange(grant)

    async def begin_device(self) -> DeviceCode:
        return await self._inner.begin_device()

    async def poll_device(self, code: Secret) -> Delegated | Pending:
        return await self._inner.poll_device(code)

    def refuse_unfit(self, delegated: Delegated) -> None:
        self._inner.refuse_unfit(delegated)

    async def whose(self, token: Secret, *, owner: str) -> ForgeUser:
        return await self._inner.whose(token, owner=owner)

    async def narrow(self, token: Secret, *, owner: str, repository: str) -> Narrowed:
        raise AssertionError(f"nothing is narrowed here, {owner}/{repository} neither: {token!r}")

    async def revoke(self, token: Secret) -> None:
        assert self.revokes, "nothing is revoked here"
        await self._inner.revoke(token)
