"""ID tokens that are not the provider's, not for us, not of now; and its keys, which change."""

import base64
import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import serialize_compact

from countersign.contracts.errors import Rejected
from countersign.gateway.oidc.id_tokens import Expected, key_id, read_keys, verified
from countersign.gateway.oidc.provider import (
    DOCUMENT_AGE_MAX_S,
    REFETCH_INTERVAL_S,
    Provider,
    read_metadata,
)
from countersign.gateway.oidc.settings import trusted_url

NOW: Final = 1_800_000_000
ISSUER: Final = "https://login.example.org"
EXPECTED: Final = Expected(issuer=ISSUER, client_id="countersign", nonce="n-1", now_s=NOW)
CLAIMS: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "sub": "u1",
    "aud": "countersign",
    "nonce": "n-1",
    "iat": NOW,
    "exp": NOW + 300,
}
KEY: Final = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
PUBLIC: Final = read_keys({"keys": [KEY.as_dict(private=False)]})["one"]
DOCUMENT: Final = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


def token(claims: Mapping[str, Any], *, key: RSAKey = KEY, alg: str = "RS256") -> str:
    made = {k: v for k, v in claims.items() if v is not ...}
    # Halves of characters can only be written escaped.
    payload = json.dumps(made, ensure_ascii=True)
    return serialize_compact({"alg": alg, "kid": "one"}, payload, key, algorithms=[alg])


def test_right_token_is_read() -> None:
    assert verified(token(CLAIMS), PUBLIC, EXPECTED)["sub"] == "u1"


@pytest.mark.parametrize("kind", ["ES256", "PS256", "RS512"])
def test_other_ways_to_sign_are_read(kind: str) -> None:
    key = ECKey.generate_key("P-256", {"kid": "one"}, private=True) if kind == "ES256" else KEY
    made = jwt.encode({"alg": kind, "kid": "one"}, CLAIMS, key, algorithms=[kind])
    public = read_keys({"keys": [key.as_dict(private=False)]})["one"]

    assert verified(made, public, EXPECTED)["sub"] == "u1"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": f"{ISSUER}/"},
        {"iss": ...},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": []},
        {"aud": ...},
        {"aud": ["countersign", "other"]},
        {"aud": ["countersign", "other"], "azp": "other"},
        {"azp": "other"},
        {"nonce": "n-2"},
        {"nonce": ...},
        {"nonce": 1},
        {"nonce": "\ud800"},
        {"sub": ""},
        {"sub": ...},
        {"exp": NOW - 61},
        {"exp": ...},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"iat": float("nan")},
        {"nbf": float("-inf")},
        {"exp": 10**400},
        {"iat": NOW + 61},
        {"iat": NOW - 601},
        {"iat": ...},
        {"nbf": NOW + 61},
    ],
    ids=str,
)
def test_wrong_claims_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="bad_id_token") as refused:
        verified(token(CLAIMS | changed), PUBLIC, EXPECTED)

    assert "eyJ" not in str(refused.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["countersign", "other"], "azp": "countersign"},
        {"aud": ["countersign"]},
        {"azp": "countersign"},
        {"exp": NOW - 30},
        {"iat": NOW + 30, "nbf": NOW + 30},
    ],
    ids=str,
)
def test_claims_within_what_is_allowed_are_taken(changed: dict[str, Any]) -> None:
    assert verified(token(CLAIMS | changed), PUBLIC, EXPECTED)["sub"] == "u1"


def _forged() -> dict[str, str]:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    head, body, signature = token(CLAIMS).split(".")
    other = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    pem = PUBLIC.as_pem(private=False)
    shared = OctKey.import_key(base64.urlsafe_b64encode(pem).decode())
    return {
        "unsigned": f"{part({'alg': 'none', 'kid': 'one'})}.{body}.",
        "signed by another": token(CLAIMS, key=other),
        "signed with what is public": jwt.encode(
            {"alg": "HS256", "kid": "one"}, CLAIMS, shared, algorithms=["HS256"]
        ),
        "changed": f"{head}.{part(CLAIMS | {'sub': 'u2'})}.{signature}",
        "cut": f"{head}.{body}",
        "empty": "",
        "nonsense": "x.y.z",
        "no object": f"{part([1])}.{body}.{signature}",
    }


@pytest.mark.parametrize("made", _forged().values(), ids=_forged().keys())
def test_forged_tokens_are_refused(made: str) -> None:
    with pytest.raises(Rejected, match="bad_id_token"):
        verified(made, PUBLIC, EXPECTED)


UNREADABLE = ["", "x.y.z", "W10.e30.x", "bnVsbA.e30.x", "." * 70_000, "W1tb" * 10_000 + ".e30.x"]


@pytest.mark.parametrize("made", UNREADABLE, ids=[made[:12] for made in UNREADABLE])
def test_token_without_a_readable_head_is_refused(made: str) -> None:
    with pytest.raises(Rejected, match="bad_id_token"):
        key_id(made)


def test_keys_that_do_not_sign_are_left_out() -> None:
    good = KEY.as_dict(private=False)
    odd = [
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": "broken", "n": "!"},
        {**good, "kid": "short", "n": good["n"][:171]},
        {**good, "kid": "no kind", "kty": {}},
        {"kty": "oct", "kid": "oct", "k": "AAAA"},
        {"kty": "OKP", "crv": "X448", "kid": "x", "x": "AAAA"},
        {"kid": "bare"},
        "text",
        None,
    ]

    assert list(read_keys({"keys": [*odd, good]})) == ["one"]
    assert read_keys({}) == read_keys({"keys": "none"}) == {}


class Server:
    """A provider whose answers are a table."""

    def __init__(self, *keys: RSAKey) -> None:
        self.keys = keys
        self.document: dict[str, Any] = dict(DOCUMENT)
        self.asked: list[str] = []

    async def get(self, url: str) -> Mapping[str, Any]:
        self.asked.append(url)
        if url.endswith("/keys"):
            return {"keys": [k.as_dict(private=False) for k in self.keys]}
        return self.document

    async def post(self, url: str, fields: Mapping[str, str], **how: Any) -> Mapping[str, Any]:
        raise AssertionError(url, fields, how)


class Watch:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


async def test_new_key_is_looked_for_and_not_more_often_than_seconds_allow() -> None:
    server, watch = Server(KEY), Watch()
    provider = Provider(server, issuer=ISSUER, elapsed=watch)
    await provider.key("one")
    server.keys = (KEY, RSAKey.generate_key(2048, {"kid": "two"}, private=True))

    for made_up in ("two", "three", "four"):
        with pytest.raises(Rejected, match="bad_id_token"):
            await provider.key(made_up)
    early = server.asked.count(f"{ISSUER}/keys")
    watch.now_s += REFETCH_INTERVAL_S
    found = await provider.key("two")

    assert early == 1
    assert found.kid == "two"


async def test_key_that_was_withdrawn_is_forgotten() -> None:
    server, watch = Server(KEY), Watch()
    provider = Provider(server, issuer=ISSUER, elapsed=watch)
    await provider.key("one")
    server.keys = (RSAKey.generate_key(2048, {"kid": "two"}, private=True),)
    watch.now_s += DOCUMENT_AGE_MAX_S + 1

    with pytest.raises(Rejected, match="bad_id_token"):
        await provider.key("one")


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": f"{ISSUER}/"},
        {"issuer": None},
        {"token_endpoint": "http://login.example.org/token"},
        {"token_endpoint": ""},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"end_session_endpoint": "http://login.example.org/out"},
        {"code_challenge_methods_supported": ["plain"]},
    ],
    ids=str,
)
def test_discovery_document_that_leads_astray_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="provider_refused"):
        read_metadata(DOCUMENT | changed, issuer=ISSUER)


@pytest.mark.parametrize(
    ("ways", "posts"),
    [
        (None, False),
        (["client_secret_basic", "client_secret_post"], False),
        (["client_secret_post"], True),
        (["private_key_jwt"], False),
    ],
)
def test_client_secret_is_sent_the_way_that_the_provider_takes(
    ways: list[str] | None, *, posts: bool
) -> None:
    told = {} if ways is None else {"token_endpoint_auth_methods_supported": ways}

    assert read_metadata(DOCUMENT | told, issuer=ISSUER).posts_secret is posts


@pytest.mark.parametrize(
    "url", ["http://login.example.org", "ftp://x", "https://", "https://a@b/", "https://b/#x", ""]
)
def test_address_that_cannot_be_believed_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        trusted_url(url)


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEY_FIELDS: Final = ("kty", "kid", "use", "key_ops", "alg", "n", "e", "d", "crv", "x", "y", "k")


@settings(deadline=None)
@given(
    keys=JSON
    | st.lists(
        st.dictionaries(
            st.sampled_from(KEY_FIELDS), JSON | st.sampled_from(["RSA", "EC", "P-256", "AQAB"])
        )
    )
)
def test_any_key_set_is_read_without_an_error(keys: Any) -> None:
    assert all(isinstance(kid, str) for kid in read_keys({"keys": keys}))


@settings(deadline=None)
@given(text=st.text(max_size=64) | st.lists(st.text(max_size=20), max_size=5).map(".".join))
def test_any_text_as_an_id_token_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="bad_id_token"):
        verified(text, PUBLIC, EXPECTED)
    with contextlib.suppress(Rejected):
        key_id(text)


@settings(deadline=None, max_examples=60)
@given(claims=st.dictionaries(st.sampled_from(sorted(CLAIMS)), JSON))
def test_any_claims_are_read_or_refused(claims: dict[str, Any]) -> None:
    with contextlib.suppress(Rejected):
        verified(token(CLAIMS | claims), PUBLIC, EXPECTED)
