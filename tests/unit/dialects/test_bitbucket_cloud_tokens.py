"""Tokens of Bitbucket Cloud, by what its pages say that it answers."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeUser, TokenKind, TokenReason, TokenValidity
from countersign.contracts.secret import Secret
from countersign.dialects.bitbucket_cloud.inspection import INSPECTION, SCOPES
from countersign.dialects.bitbucket_cloud.oauth import OAUTH
from countersign.dialects.conversation import Conversation
from countersign.dialects.delegation import fitness
from countersign.dialects.delegation.oauth import Challenge, Delegated, Grant, Registration
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Answer, Basic
from countersign.dialects.inspection import Inspection, Question
from countersign.dialects.kinds import presented

FORGE = Forge(name="Ours", kind="bitbucket-cloud", origin="https://bitbucket.org")
AT = Registration(
    forge=FORGE,
    client_id="example-consumer",
    secret=lambda: Secret("example-consumer-secret"),
    redirect_uri="http://127.0.0.1:8080/callback",
)
GRANT = Grant(code=Secret("example-code"), verifier=Secret("example-verifier-0123456789"))
UUID = "{504c3b62-8120-4f0c-a7bc-87800b9d6f70}"
ADA = {"type": "user", "uuid": UUID, "nickname": "Ada Lovelace", "account_status": "active"}
API_TOKEN, ACCESS_TOKEN, APP_PASSWORD = (
    Secret(prefix + "T3madeup0madeup0") for prefix in ("ATAT", "ATCT", "ATBB")
)
_Result = TypeVar("_Result")


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    told = {"content-type": "application/json", **(headers or {})}
    return Answer(status=status, headers=told, body=json.dumps(body).encode())


def result(conversation: Conversation[_Result], told: Answer) -> _Result:
    """Hold a conversation of one question."""
    next(conversation)
    try:
        conversation.send((told,))
    except StopIteration as done:
        found: _Result = done.value
        return found
    raise AssertionError("it asks for more")


def exchanged(**fields: Any) -> Delegated:
    body = {
        "access_token": "example-access-token",
        "expires_in": 7200,
        "refresh_token": "example-refresh-token",
        "scope": "account pullrequest:write",
    }
    return result(OAUTH.exchange(AT, GRANT), answer({**body, **fields}))


def inspected(token: Secret, told: Answer) -> Inspection:
    question = Question(
        credential=token, kind=INSPECTION.kind_of(token), now=datetime(2026, 11, 30, tzinfo=UTC)
    )
    return result(INSPECTION.inspect(question), told)


def test_sign_in_asks_for_no_scopes_of_its_own() -> None:
    url = urlsplit(OAUTH.authorize_url(AT, Challenge(state="s", code_challenge="c")))

    assert (url.netloc, url.path) == ("bitbucket.org", "/site/oauth2/authorize")
    assert set(parse_qs(url.query)) == {"client_id", "redirect_uri", "response_type", "state"}


def test_exchange_is_made_with_the_consumers_own_name() -> None:
    (sent,) = next(OAUTH.exchange(AT, GRANT))

    assert sent.request.basic is not None
    assert sent.request.basic.user == AT.client_id
    assert set(sent.request.form or {}) == {"grant_type", "code", "redirect_uri"}


@pytest.mark.parametrize("name", ["scope", "scopes"])
def test_scopes_of_a_token_are_read_by_both_of_their_names(name: str) -> None:
    delegated = exchanged(**{"scope": None, name: "account pullrequest:write"})

    assert delegated.scopes == frozenset({"account", "pullrequest:write"})
    fitness.refuse_unfit(delegated, OAUTH, forge=AT.forge)


@pytest.mark.parametrize("scope", [None, "", "account repository:admin pullrequest:write"])
def test_token_that_may_do_more_than_a_promotion_needs_is_too_strong(scope: str | None) -> None:
    with pytest.raises(Rejected) as caught:
        fitness.refuse_unfit(exchanged(scope=scope), OAUTH, forge=AT.forge)

    assert caught.value.reason == DelegationRefusal.TOO_STRONG


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("invalid_grant", DelegationRefusal.EXPIRED),
        ("unauthorized_client", DelegationRefusal.NO_CLIENT),
        ("access_denied", DelegationRefusal.DENIED),
    ],
)
def test_refused_exchange_has_its_reason(word: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        result(OAUTH.exchange(AT, GRANT), answer({"error": word}, 400))

    assert caught.value.reason == reason


def test_person_is_known_by_the_account_and_not_by_a_name() -> None:
    assert result(OAUTH.whose(AT, API_TOKEN, "acme"), answer(ADA)) == ForgeUser(
        id=UUID, login="Ada-Lovelace"
    )


def test_nobody_narrows_or_ends_a_token_there() -> None:
    assert (OAUTH.narrow, OAUTH.revoke) == (None, None)


def test_stored_token_goes_with_a_name_where_its_secret_has_one() -> None:
    token = presented(FORGE, API_TOKEN, username="ada@example.com")
    assert isinstance(token, Basic)
    assert (token.user, token.password) == ("ada@example.com", API_TOKEN)
    assert presented(FORGE, ACCESS_TOKEN) is ACCESS_TOKEN


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (API_TOKEN, TokenKind.PERSONAL),
        (ACCESS_TOKEN, TokenKind.REPOSITORY),
        (APP_PASSWORD, TokenKind.CLASSIC),
        (Secret("0123456789abcdef"), TokenKind.OTHER),
    ],
)
def test_kind_of_a_token_is_told_by_its_form(token: Secret, kind: TokenKind) -> None:
    assert INSPECTION.kind_of(token) is kind


def test_api_token_tells_its_owner_and_scopes_and_no_end() -> None:
    scopes = "read:user:bitbucket, write:pullrequest:bitbucket, delete:repository:bitbucket"

    found = inspected(API_TOKEN, answer(ADA, headers={"x-oauth-scopes": scopes}))

    assert (found.validity, found.is_person) == (TokenValidity.VALID, True)
    assert found.owner == ForgeUser(id=UUID, login="Ada-Lovelace")
    assert SCOPES.sufficient & set(found.scopes or ())
    assert SCOPES.powerful & set(found.scopes or ()) == {"delete:repository:bitbucket"}
    assert (found.expires_at, found.expiry_known, found.last_used_at) == (None, False, None)


def test_access_token_is_nobodys_and_valid_all_the_same() -> None:
    told = answer(
        {"type": "error", "error": {"message": "lacks a scope"}},
        403,
        {"x-oauth-scopes": "repository:write, pullrequest:write"},
    )

    found = inspected(ACCESS_TOKEN, told)

    assert (found.validity, found.owner) == (TokenValidity.VALID, None)
    assert found.scopes == ("pullrequest:write", "repository:write")


def test_refusal_that_tells_nothing_leaves_it_unknown() -> None:
    found = inspected(ACCESS_TOKEN, answer({"type": "error", "error": {"message": "no"}}, 403))

    assert (found.validity, found.why) == (TokenValidity.UNKNOWN, TokenReason.FORBIDDEN)


def test_token_that_the_forge_refuses_is_invalid() -> None:
    found = inspected(APP_PASSWORD, answer({"type": "error", "error": {"message": "no"}}, 401))

    assert (found.validity, found.why) == (TokenValidity.INVALID, TokenReason.REFUSED)
