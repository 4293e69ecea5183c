"""Checks that an ID token is the provider's, for us, for this sign-in, and of now.

Source: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
"""

import base64
import hmac
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from countersign.contracts.errors import Rejected
from countersign.gateway.refusals import Refusal

# Signatures by the provider alone: no `none`, and nothing made with a secret that we hold, too.
ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
)  # fmt: skip
LEEWAY_S: Final = 60
# It was made for this sign-in, seconds ago.
AGE_MAX_S: Final = 600
TOKEN_CHARACTERS_MAX: Final = 64 * 1024
KEYS_MAX: Final = 64
# A tuple: what is asked for may be no text, and have no hash.
KINDS: Final = ("RSA", "EC")
# The year 9999, in seconds; NaN is neither before nor after it.
TIME_S_MAX: Final = 253_402_300_799

Key = RSAKey | ECKey | OKPKey
Claims = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The facts that the token of one sign-in must state."""

    issuer: str
    client_id: str
    nonce: str
    now_s: float


def read_keys(document: Claims) -> Mapping[str, Key]:
    """The keys of a JWKS that can sign, by their ids; what we do not know is left out."""
    keys = document.get("keys")
    found: dict[str, Key] = {}
    for given in keys[:KEYS_MAX] if isinstance(keys, list) else ():
        if not isinstance(given, dict) or given.get("use", "sig") != "sig":
            continue
        kind, kid = given.get("kty"), given.get("kid", "")
        if kind not in KINDS or not isinstance(kid, str):
            continue
        public = {k: v for k, v in given.items() if k != "key_ops"}
        try:
            with warnings.catch_warnings():
                # Of a key that is too short, which would otherwise be taken.
                warnings.simplefilter("error", SecurityWarning)
                key = import_key(public)
        except (JoseError, SecurityWarning, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, Key) and not key.is_private:
            found[kid] = key
    return found


def key_id(token: str) -> str:
    """The id of the key that a token says it was signed with; empty if it names none.

    Raises:
        Rejected: `bad_id_token`.

    """
    head = token.partition(".")[0]
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise _bad("it is too long")
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        kid = header.get("kid", "")
    except (ValueError, AttributeError, RecursionError):
        raise _bad("it cannot be read") from None
    return kid if isinstance(kid, str) else ""


def verified(token: str, key: Key, expected: Expected) -> Claims:
    """The claims of a token that is what it must be.

    Raises:
        Rejected: `bad_id_token`; says what is wrong and never what stands in it.

    """
    try:
        claims = jwt.decode(token, key, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise _bad("its signature is not the provider's") from None
    _check_parties(claims, expected)
    _check_times(claims, expected.now_s)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        # JSON can name halves of characters, which have no bytes.
        nonce.encode("utf-8", "surrogatepass"),
        expected.nonce.encode(),
    ):
        raise _bad("it was not made for this sign-in")
    return claims


def _check_parties(claims: Claims, expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise _bad("it is of another issuer")
    given = claims.get("aud")
    audience = given if isinstance(given, list) else [given]
    if expected.client_id not in audience:
        raise _bad("it is not for us")
    by = claims.get("azp")
    if by != expected.client_id and (by is not None or len(audience) > 1):
        raise _bad("it was made for somebody else")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise _bad("it names nobody")


def _check_times(claims: Claims, now_s: float) -> None:
    moments = {name: claims.get(name) for name in ("exp", "iat", "nbf") if name in claims}
    if not all(
        isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at <= TIME_S_MAX
        for at in moments.values()
    ):
        raise _bad("its times are no times")
    if not {"exp", "iat"} <= moments.keys():
        raise _bad("it does not say from when until when it holds")
    if now_s - LEEWAY_S >= claims["exp"]:
        raise _bad("it has expired")
    if max(claims["iat"], claims.get("nbf", 0)) > now_s + LEEWAY_S:
        raise _bad("it is of the future: the clocks of this machine and the provider's differ")
    if claims["iat"] < now_s - AGE_MAX_S:
        raise _bad("it is too old")


def _bad(why: str) -> Rejected:
    return Rejected(Refusal.BAD_ID_TOKEN, f"the provider's ID token is not accepted: {why}")
