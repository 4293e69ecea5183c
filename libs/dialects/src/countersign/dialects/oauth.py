"""What a delegation needs of a forge: whose it is, how far it reaches, and its end.

Tokens are passed as secrets and kept by nobody here.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret

# "about eight hours" of a GitHub App's user token, and what clocks and networks add to it.
LIFETIME_S_MAX: Final = 8 * 3600 + 600


@dataclass(frozen=True, kw_only=True)
class Client:
    """Our application at a forge. The secret is read when it is needed, so it can be rotated."""

    client_id: str
    secret: Callable[[], Secret]
    redirect_uri: str


@dataclass(frozen=True, kw_only=True)
class Delegated:
    """A person's token as the forge gave it; `expires_in_s` is none where it never ends."""

    token: Secret
    expires_in_s: int | None


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """A token for one repository."""

    token: Secret
    expires_at: datetime


class OAuth(Protocol):
    """One forge's dialect. All methods fail with words of `Problem.code`."""

    issuers: frozenset[str]

    def authorize_url(self, *, state: str, challenge: str) -> str:
        """Where the browser goes."""

    async def exchange(self, *, code: Secret, verifier: Secret) -> Delegated:
        """Give the code, once, for the token. The refresh token is dropped unread."""

    def refuse_unfit(self, delegated: Delegated) -> None:
        """Refuse a kind of token that lives too long, by what is known without asking."""

    async def whose(self, token: Secret) -> ForgeUser: ...

    async def narrow(self, token: Secret, *, owner: str, repository: str) -> Narrowed:
        """Make a token that reaches this repository alone, and has it proven by the forge."""

    async def revoke(self, token: Secret) -> None:
        """End it. One that has ended already is no error."""


def challenge_of(verifier: Secret) -> str:
    """S256. Source: https://www.rfc-editor.org/rfc/rfc7636#section-4.2."""
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
