"""Signing people in at one kind of forge, and giving, narrowing and ending their tokens. Pure.

Tokens are passed as secrets and kept by nobody here.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeUser, TokenKind
from countersign.contracts.secret import Secret
from countersign.dialects.conversation import Conversation
from countersign.dialects.delegation.device import DeviceCode, Pending
from countersign.dialects.exchange import Basic


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Our application at one forge. The secret is read when it is needed, so it can be rotated."""

    forge: Forge
    client_id: str
    secret: Callable[[], Secret]
    redirect_uri: str

    @property
    def where(self) -> str:
        """The forge as people call it, for messages."""
        return self.forge.name

    @property
    def credentials(self) -> Basic:
        """Our id and secret as they are, which RFC 6749 §2.3.1 would have encoded as a form.

        Forges take them as they come, and make secrets of letters, digits and `_` alone, which
        either way are the same.
        Source: https://github.com/go-gitea/gitea/blob/main/routers/web/auth/oauth2_provider.go
        """
        return Basic(user=self.client_id, password=self.secret())


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """The part of a sign-in that the browser takes to the forge; `state` comes back."""

    state: str
    code_challenge: str


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The code that the browser brought back, and the verifier that never left us."""

    code: Secret
    verifier: Secret


@dataclass(frozen=True, kw_only=True)
class Delegated:
    """A person's token as the forge gave it.

    Args:
        expires_in_s: none where it never ends, or where that is not told.
        scopes: as the forge itself tells them; none where it has permissions instead.

    """

    token: Secret
    expires_in_s: int | None
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """The repository that a narrowed token is for, and the latest moment at which it may end."""

    owner: str
    repository: str
    ends_by: datetime

    @property
    def name(self) -> str:
        return f"{self.owner}/{self.repository}"


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """A token for one repository."""

    token: Secret
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class SignInByCode:
    """Signing in by a code that the person types at the forge.

    Args:
        begin: asks for one.
        poll: asks whether the person has typed it, with the device code.
        pages: elsewhere than where people sign in, that take codes.

    """

    begin: Callable[[Registration], Conversation[DeviceCode]]
    poll: Callable[[Registration, Secret], Conversation[Delegated | Pending]]
    pages: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class OAuthDialect:
    """One kind's way. All conversations fail with words of `DelegationRefusal`.

    Args:
        issuers: names by which the forge may call itself in its answer to a browser (RFC 9207).
        authorize_url: where the browser goes.
        exchange: gives the code, once, for the token; the refresh token is dropped unread.
        whose: asks whose token it is, among the people of a repository's owner, where a forge
            knows people only by that.
        narrow: makes a token that reaches one repository alone, as the forge itself proves; none
            where it cannot, and the person's own token is what is handed out.
        by_code: signs in by a code that the person types; none where the kind has no such thing.
        revoke: ends a token; one that has ended already is no error. None where nobody can.
        prove: shows our name and secret, where an exchange does not tell that they are wrong; none
            where it does.
        scopes: all that a token may have, by what the entry asks for; none where the forge has
            permissions instead.
        permissions: all that a narrowed token has, as `name:access`.
        token_kind: of the tokens that are handed out.
        advice: what the administrator does about tokens that do not end in time.

    """

    issuers: Callable[[Forge], frozenset[str]]
    authorize_url: Callable[[Registration, Challenge], str]
    exchange: Callable[[Registration, Grant], Conversation[Delegated]]
    whose: Callable[[Registration, Secret, str], Conversation[ForgeUser]]
    narrow: Callable[[Registration, Secret, Target], Conversation[Narrowed]] | None = None
    by_code: SignInByCode | None = None
    revoke: Callable[[Registration, Secret], Conversation[None]] | None = None
    prove: Callable[[Registration], Conversation[None]] | None = None
    scopes: Callable[[Forge], frozenset[str]] | None = None
    permissions: frozenset[str] = frozenset()
    token_kind: TokenKind = TokenKind.OAUTH_APP
    advice: str = ""


def challenge_of(verifier: Secret) -> str:
    """Return the S256 challenge. Source: https://www.rfc-editor.org/rfc/rfc7636#section-4.2."""
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
