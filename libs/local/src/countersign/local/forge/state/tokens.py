"""Issues tokens, finds them again by their hash, ends them.

A token's text exists only in the answer that hands it out.
Prefixes: https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hmac import compare_digest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from countersign.contracts.secret import Secret
from countersign.local.forge.state.model import App, Token, TokenKind
from countersign.local.forge.state.permissions import Caller
from countersign.local.forge.state.store import Store, sha256

PREFIXES = {
    TokenKind.CLASSIC: "ghp_",
    TokenKind.FINE_GRAINED: "github_pat_",
    TokenKind.OAUTH: "gho_",
    TokenKind.APP_USER: "ghu_",
    TokenKind.INSTALLATION: "ghs_",
    TokenKind.REFRESH: "ghr_",
}
TOKEN_CHARACTERS = 36
USER_TOKEN_S = 28_800
REFRESH_TOKEN_S = 15_897_600
INSTALLATION_TOKEN_S = 3_600
# An application may date its own JWT at most ten minutes ahead.
JWT_S_MAX = 600
JWT_LEEWAY_S = 60


@dataclass(frozen=True)
class Issued:
    text: Secret
    token: Token


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rights, owner and lifetime of a token to be issued."""

    kind: TokenKind
    owner: str
    app_id: int | None = None
    scopes: tuple[str, ...] = ()
    permissions: dict[str, str] | None = None
    repositories: tuple[str, ...] | None = None
    expires_at: datetime | None = None


def issue(store: Store, terms: Terms) -> Issued:
    rest = store.new_secret(TOKEN_CHARACTERS - len(store.canary))
    text = Secret(PREFIXES[terms.kind] + store.canary + rest)
    store.issued += 1
    return Issued(text, record(store, text, terms))


def record(store: Store, text: Secret, terms: Terms) -> Token:
    """Keep the hash of a token whose text was chosen elsewhere, for instance in a seed."""
    token = Token(
        id=store.new_id(),
        sha256=sha256(text.reveal()),
        kind=terms.kind,
        owner=terms.owner,
        app_id=terms.app_id,
        scopes=terms.scopes,
        permissions=terms.permissions,
        repositories=terms.repositories,
        created_at=store.clock(),
        expires_at=terms.expires_at,
    )
    return store.tokens.put(token.sha256, token)


def issue_user_tokens(store: Store, app: App, login: str) -> tuple[Issued, Issued]:
    """A GitHub App's token for a person, eight hours, and its refresh token."""
    at = store.clock()
    user = Terms(
        kind=TokenKind.APP_USER,
        owner=login,
        app_id=app.id,
        expires_at=at + timedelta(seconds=USER_TOKEN_S),
    )
    refresh = replace(
        user, kind=TokenKind.REFRESH, expires_at=at + timedelta(seconds=REFRESH_TOKEN_S)
    )
    return issue(store, user), issue(store, refresh)


def find(store: Store, text: Secret) -> Token | None:
    """The living token with this text."""
    token = store.tokens.get(sha256(text.reveal()))
    if token is None or token.revoked:
        return None
    if token.expires_at is not None and token.expires_at <= store.clock():
        return None
    return token


def revoke(store: Store, token: Token) -> None:
    store.tokens.put(token.sha256, replace(token, revoked=True))


def caller(store: Store, token: Token) -> Caller | None:
    """Return the account that acts with this token; None when its owner is gone."""
    if token.kind is TokenKind.REFRESH:
        return None
    app = store.app_by_id(token.app_id)
    installed = store.installed(app) if app else frozenset()
    if token.kind is TokenKind.INSTALLATION:
        return Caller(token=token, app=app, installed=installed)
    person = store.person(token.owner)
    return Caller(person=person, token=token, app=app, installed=installed) if person else None


def presented(header: str) -> Secret | None:
    """The token in an Authorization header: `Bearer`, `token`, or a Basic password (git)."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() in {"bearer", "token"}:
        return Secret(rest.strip())
    pair = basic(header)
    return pair[1] if pair else None


def basic(header: str) -> tuple[str, Secret] | None:
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, Secret(password)


def client(store: Store, header: str) -> App | None:
    """The application that presents its client id and secret as Basic."""
    pair = basic(header)
    app = store.apps.get(pair[0]) if pair else None
    if pair is None or app is None or not secret_matches(app, pair[1]):
        return None
    return app


def secret_matches(app: App, client_secret: Secret) -> bool:
    return compare_digest(app.client_secret_sha256, sha256(client_secret.reveal()))


def app_by_jwt(store: Store, header: str) -> App | None:
    """The application that signed the JWT (RS256) it presents as Bearer."""
    text = presented(header)
    parts = text.reveal().split(".") if text else []
    try:
        head, claims = (json.loads(_decode(part)) for part in parts[:2])
        signature = _decode(parts[2])
        app = _issuer(store, claims)
        if app is None or head["alg"] != "RS256" or not _timely(store, claims):
            return None
        key = load_pem_public_key(app.public_key_pem.encode())
    except (ValueError, LookupError, TypeError, AttributeError):
        # Whatever is no JWT of an application with a key.
        return None
    if not isinstance(key, RSAPublicKey):
        return None
    try:
        key.verify(signature, ".".join(parts[:2]).encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return None
    return app


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _issuer(store: Store, claims: Mapping[str, object]) -> App | None:
    issuer = str(claims.get("iss", ""))
    return next((a for a in store.apps if issuer in {a.client_id, str(a.id)}), None)


def _timely(store: Store, claims: Mapping[str, object]) -> bool:
    at, until, since = store.clock().timestamp(), claims.get("exp"), claims.get("iat")
    if not isinstance(until, int | float) or not isinstance(since, int | float):
        return False
    return at < until <= at + JWT_S_MAX + JWT_LEEWAY_S and since <= at + JWT_LEEWAY_S
