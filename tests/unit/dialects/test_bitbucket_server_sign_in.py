"""Signing in at Bitbucket Data Center, by what its pages say that it answers."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
from countersign.dialects.bitbucket_server.kind import BITBUCKET_SERVER
from countersign.dialects.bitbucket_server.oauth import OAUTH
from countersign.dialects.capabilities import Revoker
from countersign.dialects.conversation import Conversation
from countersign.dialects.delegation import fitness
from countersign.dialects.delegation.oauth import Challenge, Delegated, Grant, Registration
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Answer
from countersign.dialects.kinds import presented

FORGE = Forge(name="Ours", kind="bitbucket-server", origin="https://bitbucket.example")
AT = Registration(
    forge=FORGE,
    client_id="example-link",
    secret=lambda: Secret("example-link-secret"),
    redirect_uri="http://127.0.0.1:8080/callback",
)
GRANT = Grant(code=Secret("example-code"), verifier=Secret("example-verifier-0123456789"))
TOKEN = Secret("example-access-token")
ADA = {"id": 101, "name": "Ada@Example.com", "slug": "ada_example.com", "type": "NORMAL"}
_Result = TypeVar("_Result")


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    told = {"content-type": "application/json", **(headers or {})}
    return Answer(status=status, headers=told, body=json.dumps(body).encode())


def result(conversation: Conversation[_Result], *told: Answer) -> _Result:
    """Hold a conversation of single questions."""
    next(conversation)
    try:
        for one in told:
            conversation.send((one,))
    except StopIteration as done:
        found: _Result = done.value
        return found
    raise AssertionError("it asks for more")


def exchanged(**fields: Any) -> Delegated:
    body = {
        "access_token": "example-access-token",
        "token_type": "bearer",
        "expires_in": 3600,
        "refresh_token": "example-refresh-token",
        "created_at": 1_796_000_000,
    }
    return result(OAUTH.exchange(AT, GRANT), answer({**body, **fields}))


def users(*listed: Any) -> Answer:
    return answer({"values": list(listed), "isLastPage": True})


def test_sign_in_asks_for_the_least_scope_with_a_challenge() -> None:
    url = urlsplit(OAUTH.authorize_url(AT, Challenge(state="s", code_challenge="c")))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}

    assert (url.netloc, url.path) == ("bitbucket.example", "/rest/oauth2/latest/authorize")
    assert query == {
        "client_id": "example-link",
        "redirect_uri": AT.redirect_uri,
        "response_type": "code",
        "scope": "REPO_WRITE",
        "state": "s",
        "code_challenge": "c",
        "code_challenge_method": "S256",
    }


def test_exchange_proves_the_challenge_and_puts_nothing_into_an_address() -> None:
    (sent,) = next(OAUTH.exchange(AT, GRANT))

    assert sent.request.url == "https://bitbucket.example/rest/oauth2/latest/token"
    assert set(sent.request.form or {}) == {
        "grant_type",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "redirect_uri",
    }


def test_answer_without_scopes_gives_what_was_asked_for() -> None:
    delegated = exchanged()

    assert (delegated.scopes, delegated.expires_in_s) == (frozenset({"REPO_WRITE"}), 3600)
    fitness.refuse_unfit(delegated, OAUTH, forge=AT.forge)


@pytest.mark.parametrize("scope", ["REPO_ADMIN", "REPO_WRITE SYSTEM_ADMIN", "ACCOUNT_WRITE"])
def test_token_that_may_do_more_than_a_promotion_needs_is_too_strong(scope: str) -> None:
    with pytest.raises(Rejected) as caught:
        fitness.refuse_unfit(exchanged(scope=scope), OAUTH, forge=AT.forge)

    assert caught.value.reason == DelegationRefusal.TOO_STRONG


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("invalid_grant", DelegationRefusal.EXPIRED),
        ("invalid_client", DelegationRefusal.NO_CLIENT),
        ("access_denied", DelegationRefusal.DENIED),
    ],
)
def test_refused_exchange_has_its_reason(word: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        result(OAUTH.exchange(AT, GRANT), answer({"error": word}, 400))

    assert caught.value.reason == reason


def test_person_is_who_every_answer_names() -> None:
    named = answer({"values": [], "isLastPage": True}, headers={"x-ausername": "ada%40example.com"})
    other = {"id": 102, "name": "nada@example.com"}

    assert result(OAUTH.whose(AT, TOKEN, "acme"), named, users(other, ADA)) == ForgeUser(
        id="101", login="Ada-Example.com"
    )


@pytest.mark.parametrize("name", ["", "access-token-user%2F1"])
def test_token_of_nobody_is_no_delegation(name: str) -> None:
    named = answer({"values": [], "isLastPage": True}, headers={"x-ausername": name})

    with pytest.raises(Rejected) as caught:
        result(OAUTH.whose(AT, TOKEN, "acme"), *([named, users(ADA)] if name else [named]))

    assert caught.value.reason == DelegationRefusal.DENIED


def test_nobody_narrows_or_ends_a_token_there() -> None:
    assert (OAUTH.narrow, OAUTH.revoke) == (None, None)
    assert BITBUCKET_SERVER.capabilities.revoked_by is Revoker.NOBODY
    assert BITBUCKET_SERVER.capabilities.wants_acceptance


def test_stored_token_goes_as_a_bearer_whatever_its_secret_names() -> None:
    assert presented(FORGE, TOKEN, username="flux") is TOKEN
