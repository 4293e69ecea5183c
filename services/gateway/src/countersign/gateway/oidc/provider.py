"""The provider's description of itself, and its keys: both change while we run.

Source: https://openid.net/specs/openid-connect-discovery-1_0.html
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote_plus, urlsplit

from countersign.contracts.errors import Rejected
from countersign.gateway.oidc.id_tokens import Key, read_keys
from countersign.gateway.oidc.settings import trusted_url
from countersign.gateway.refusals import Refusal
from countersign.telemetry.logs import get_logger

log = get_logger()

WELL_KNOWN: Final = "/.well-known/openid-configuration"
# A key that was withdrawn is believed no longer than this.
DOCUMENT_AGE_MAX_S: Final = 600.0
# Tokens with made-up key ids do not make us ask more often.
REFETCH_INTERVAL_S: Final = 10.0


class Transport(Protocol):
    """HTTP to the provider; see `transport.Transport`."""

    async def get(self, url: str) -> Mapping[str, Any]: ...

    async def post(
        self, url: str, fields: Mapping[str, str], *, basic: tuple[str, str] | None = None
    ) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The part of a discovery document that is used."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    # RFC 9207: whether the answer names its issuer.
    names_issuer: bool = False
    posts_secret: bool = False

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that our forms may lead a browser to."""
        used = (self.authorization_endpoint, self.end_session_endpoint)
        return tuple(dict.fromkeys(origin_of(url) for url in used if url))


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def read_metadata(document: Mapping[str, Any], *, issuer: str) -> Metadata:
    """Read a discovery document.

    Raises:
        Rejected: `provider_refused`; the document is somebody else's, or leads astray.

    """
    if document.get("issuer") != issuer:
        raise Rejected(
            Refusal.PROVIDER_REFUSED, "the provider calls itself otherwise than we call it"
        )
    found = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"):
        url = document.get(name, "")
        if not url and name == "end_session_endpoint":
            continue
        try:
            found[name] = trusted_url(url if isinstance(url, str) else "")
        except ValueError:
            raise Rejected(
                Refusal.PROVIDER_REFUSED, f"the provider's {name} is not https"
            ) from None
    pkce = document.get("code_challenge_methods_supported", ["S256"])
    if not isinstance(pkce, list) or "S256" not in pkce:
        raise Rejected(Refusal.PROVIDER_REFUSED, "the provider knows no PKCE with S256")
    ways = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        **found,
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        posts_secret="client_secret_basic" not in ways and "client_secret_post" in ways,
    )


class Provider:
    """Owns what is known of the provider.

    Args:
        transport: how it is asked.
        issuer: its name and address.
        elapsed: seconds of a clock that never goes back.

    """

    def __init__(self, transport: Transport, *, issuer: str, elapsed: Callable[[], float]) -> None:
        self._transport = transport
        self._elapsed = elapsed
        self.issuer = issuer
        self._lock = asyncio.Lock()
        self._metadata: Metadata | None = None
        self._metadata_at_s = 0.0
        self._keys: Mapping[str, Key] = {}
        self._keys_at_s: float | None = None

    @property
    def origins(self) -> tuple[str, ...]:
        known = self._metadata.origins if self._metadata else ()
        return tuple(dict.fromkeys((origin_of(self.issuer), *known)))

    @property
    def known(self) -> Metadata | None:
        """The description that was last read, without asking."""
        return self._metadata

    async def metadata(self) -> Metadata:
        """Return what the provider says of itself, read again every few minutes.

        Raises:
            Retryable: `provider_unavailable`.
            Rejected: `provider_refused`.

        """
        async with self._lock:
            age_s = self._elapsed() - self._metadata_at_s
            if self._metadata is None or age_s > DOCUMENT_AGE_MAX_S:
                url = self.issuer.rstrip("/") + WELL_KNOWN
                document = await self._transport.get(url)
                self._metadata = read_metadata(document, issuer=self.issuer)
                self._metadata_at_s = self._elapsed()
            return self._metadata

    async def key(self, kid: str) -> Key:
        """The key of that id; keys that we do not know yet are looked for at the provider.

        Raises:
            Retryable: `provider_unavailable`.
            Rejected: `bad_id_token`.

        """
        metadata = await self.metadata()
        async with self._lock:
            found = self._known_key(kid)
            age_s = self._elapsed() - (self._keys_at_s or 0.0)
            unread = self._keys_at_s is None or age_s > DOCUMENT_AGE_MAX_S
            if unread or (found is None and age_s >= REFETCH_INTERVAL_S):
                self._keys = read_keys(await self._transport.get(metadata.jwks_uri))
                self._keys_at_s = self._elapsed()
                log.info("oidc.keys_read", keys=len(self._keys))
                found = self._known_key(kid)
        if found is None:
            raise Rejected(
                Refusal.BAD_ID_TOKEN, "the provider does not name the key of its ID token"
            )
        return found

    def _known_key(self, kid: str) -> Key | None:
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid) if kid else None

    async def exchange(self, fields: Mapping[str, str], *, secret: str | None) -> str:
        """The ID token for a code; whatever else comes with it is let go unread.

        Source: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1

        Raises:
            Retryable: `provider_unavailable`.
            Rejected: `provider_refused`, `bad_id_token`.

        """
        metadata = await self.metadata()
        sent, basic = dict(fields), None
        if secret is not None and metadata.posts_secret:
            sent["client_secret"] = secret
        elif secret is not None:
            basic = quote_plus(fields["client_id"]), quote_plus(secret)
        answer = await self._transport.post(metadata.token_endpoint, sent, basic=basic)
        token = answer.get("id_token")
        if not isinstance(token, str) or not token:
            raise Rejected(Refusal.BAD_ID_TOKEN, "the provider sends no ID token")
        return token
