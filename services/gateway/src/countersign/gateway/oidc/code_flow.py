"""Signing in with an authorization code: begun in one browser, ended once, in the same.

Nothing that the provider gives is kept: the ID token is read and let go, other tokens are not
even asked for by name. What remains is who somebody is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from countersign.contracts.errors import Rejected
from countersign.gateway.interfaces import SignedIn
from countersign.gateway.oidc.attempts import Attempt, Attempts
from countersign.gateway.oidc.claims import ClaimRules, person_of
from countersign.gateway.oidc.id_tokens import Expected, key_id, verified
from countersign.gateway.oidc.provider import Provider
from countersign.gateway.refusals import Refusal
from countersign.process.bounded_files import read_bounded

CODE_CHARACTERS_MAX: Final = 4_096
SECRET_BYTES_MAX: Final = 4_096
CALLBACK_PATH: Final = "/sign-in/callback"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Our registration at the provider."""

    client_id: str
    secret_file: Path | None
    scopes: str
    redirect_uri: str
    # Where the provider sends a browser back after signing out.
    farewell_uri: str
    logout: bool = True

    def secret(self) -> str | None:
        """Read anew each time, so that it is in memory for one request, and can be replaced.

        Raises:
            Rejected: `client_secret`.

        """
        if self.secret_file is None:
            return None
        body = read_bounded(
            self.secret_file, bytes_max=SECRET_BYTES_MAX, reason=Refusal.CLIENT_SECRET
        )
        text = body.decode("utf-8", "replace").strip()
        if not text or not text.isprintable():
            raise Rejected(Refusal.CLIENT_SECRET, f"{self.secret_file} holds no client secret")
        return text


class OidcSignIn:
    """Signs people in at a provider.

    Args:
        provider: where people sign in.
        registration: as whom we ask.
        rules: which claims name a person.
        attempts: the sign-ins under way.
        now: seconds since 1970, as tokens count them.

    """

    def __init__(
        self,
        provider: Provider,
        registration: Registration,
        rules: ClaimRules,
        *,
        attempts: Attempts,
        now: Callable[[], float],
    ) -> None:
        self._provider = provider
        self._registration = registration
        self._rules = rules
        self._attempts = attempts
        self._now = now

    @property
    def name(self) -> str:
        return urlsplit(self._provider.issuer).netloc

    @property
    def origins(self) -> tuple[str, ...]:
        return self._provider.origins

    async def begin(self, *, session_id: str, to: str) -> str:
        """Return the address at which the browser signs in; see `interfaces.Provider`."""
        metadata = await self._provider.metadata()
        state, attempt = self._attempts.begin(session_id=session_id, to=to)
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._registration.client_id,
                "redirect_uri": self._registration.redirect_uri,
                "scope": self._registration.scopes,
                "state": state,
                "nonce": attempt.nonce,
                "code_challenge": attempt.challenge,
                "code_challenge_method": "S256",
            }
        )
        return _with_query(metadata.authorization_endpoint, query)

    async def complete(self, answer: Mapping[str, str], *, session_id: str) -> SignedIn:
        """Return who came back from the provider; see `interfaces.Provider`."""
        attempt = self._attempts.take(answer.get("state", ""), session_id)
        metadata = await self._provider.metadata()
        issuer = answer.get("iss")
        if issuer != self._provider.issuer and (issuer is not None or metadata.names_issuer):
            raise Rejected(
                Refusal.SIGN_IN_STATE, "the answer is not of the provider that was asked"
            )
        error = answer.get("error", "")
        if error:
            denied = error == "access_denied"
            word = error[:64] if error.isascii() and error.replace("_", "").isalpha() else "?"
            raise Rejected(
                Refusal.SIGN_IN_DENIED if denied else Refusal.PROVIDER_REFUSED,
                f"the provider ended the sign-in: {word}",
            )
        claims = await self._claims(answer.get("code", ""), attempt)
        return SignedIn(person=person_of(claims, self._rules), to=attempt.to)

    async def _claims(self, code: str, attempt: Attempt) -> Mapping[str, object]:
        if not code or len(code) > CODE_CHARACTERS_MAX:
            raise Rejected(Refusal.SIGN_IN_STATE, "the provider sent no code")
        registration = self._registration
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": registration.redirect_uri,
            "client_id": registration.client_id,
            "code_verifier": attempt.verifier,
        }
        token = await self._provider.exchange(fields, secret=registration.secret())
        expected = Expected(
            issuer=self._provider.issuer,
            client_id=registration.client_id,
            nonce=attempt.nonce,
            now_s=self._now(),
        )
        return verified(token, await self._provider.key(key_id(token)), expected)

    def farewell(self) -> str:
        """Return the provider's address for signing out; empty if it ends with us.

        Without `id_token_hint`: for that, the ID token would have to be kept. So the provider may
        ask whether one means it.
        Source: https://openid.net/specs/openid-connect-rpinitiated-1_0.html
        """
        known = self._provider.known
        if known is None or not known.end_session_endpoint or not self._registration.logout:
            return ""
        query = urlencode(
            {
                "client_id": self._registration.client_id,
                "post_logout_redirect_uri": self._registration.farewell_uri,
            }
        )
        return _with_query(known.end_session_endpoint, query)


def _with_query(url: str, query: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}"
