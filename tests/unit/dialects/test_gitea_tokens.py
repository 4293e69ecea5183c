"""Tokens of Gitea and Forgejo, by what real servers answered about them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
import reference

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import (
    ForgeUser,
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.pull_request_names import PullRequestNames
from countersign.contracts.secret import Secret
from countersign.dialects.conversation import Conversation
from countersign.dialects.delegation import fitness
from countersign.dialects.delegation.oauth import Challenge, Delegated, Grant, Registration
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Answer, Sent
from countersign.dialects.gitea.inspection import INSPECTION, SCOPES
from countersign.dialects.gitea.oauth import OAUTH
from countersign.dialects.inspection import Inspection, Question

kinds = pytest.mark.parametrize("kind", ["gitea", "forgejo"])
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
AT = Registration(
    forge=Forge(name="Ours", kind="gitea", origin="https://forge.test"),
    client_id="example-client-id-confidential",
    secret=lambda: Secret("example-client-secret-confidential"),
    redirect_uri="http://127.0.0.1:8080/callback",
)
GRANT = Grant(code=Secret("example-code"), verifier=Secret("example-verifier-0123456789"))
PERSONAL = Secret("0123456789abcdef0123456789abcdef01234567")
_Result = TypeVar("_Result")


def recorded(kind: str, file: str, case: str) -> Answer:
    path = reference.skip_without(f"recordings/{kind}/{file}.jsonl")
    rows = (json.loads(line) for line in path.read_text().splitlines())
    told = next(row["response"] for row in rows if row["case"] == case)
    body = json.dumps(told["json"]) if "json" in told else told.get("body", "<html>")
    return Answer(
        status=told["status"],
        headers={name.lower(): value for name, value in told["headers"]},
        body=body.encode(),
    )


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status=status, headers={}, body=json.dumps(body).encode())


def hold(conversation: Conversation[_Result], *answers: Answer) -> tuple[_Result, Sequence[Sent]]:
    """Hold a conversation that asks one thing after another; what it came to, and what it sent."""
    sent: list[Sent] = []
    try:
        (asked,) = next(conversation)
        for told in answers:
            sent.append(asked)
            (asked,) = conversation.send((told,))
    except StopIteration as done:
        result: _Result = done.value
        return result, sent
    raise AssertionError("it asks for more")


def introspected(scope: str | None) -> dict[str, Any]:
    """As both tell it: without scopes there is no such field."""
    told = {"active": True, "aud": [AT.client_id]}
    return {**told, "scope": scope} if scope else told


def exchanged(kind: str, introspection: Answer) -> Delegated:
    token = recorded(kind, "oauth", "token-after-failed-attempts")
    return hold(OAUTH.exchange(AT, GRANT), token, introspection)[0]


def test_sign_in_asks_for_the_least_and_binds_the_code() -> None:
    url = urlsplit(OAUTH.authorize_url(AT, Challenge(state="s", code_challenge="c")))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}

    assert (url.netloc, url.path) == ("forge.test", "/login/oauth/authorize")
    assert query["scope"] == "read:user write:repository"
    assert (query["code_challenge"], query["code_challenge_method"]) == ("c", "S256")
    assert (query["response_type"], query["state"]) == ("code", "s")


@kinds
def test_exchange_tells_what_the_forge_says_of_the_token(kind: str) -> None:
    token = recorded(kind, "oauth", "token-after-failed-attempts")
    introspection = recorded(kind, "oauth", "introspect")

    delegated, sent = hold(OAUTH.exchange(AT, GRANT), token, introspection)

    assert delegated.token.reveal() == "example-access-token"
    assert delegated.expires_in_s == 3600
    assert delegated.scopes == frozenset({"read:user", "write:repository"})
    fitness.refuse_unfit(delegated, OAUTH, forge=AT.forge)
    asked = sent[1].request
    assert asked.basic is not None
    assert asked.basic.user == AT.client_id
    assert asked.form is not None
    assert set(asked.form) == {"token"}


@kinds
@pytest.mark.parametrize("case", ["", "openid", "all", "repo", "nonsense", "read:user nonsense"])
def test_token_that_may_do_more_than_was_asked_is_too_strong(kind: str, case: str) -> None:
    told: dict[str, Any] = {"active": True, "aud": [AT.client_id]} | (
        {"scope": case} if case else {}
    )

    delegated = exchanged(kind, answer(told))

    with pytest.raises(Rejected) as caught:
        fitness.refuse_unfit(delegated, OAUTH, forge=AT.forge)
    assert caught.value.reason == DelegationRefusal.TOO_STRONG


@kinds
def test_every_recorded_scope_that_opens_more_than_ours_is_refused(kind: str) -> None:
    """A token that may comment, read organizations or list keys was given too much."""
    path = reference.skip_without(f"recordings/{kind}/scopes.jsonl")
    beyond = {"POST issue comment", "GET /user/orgs", "POST /user/keys"}
    for row in map(json.loads, path.read_text().splitlines()):
        opened = {call for call, told in row["results"].items() if told[0] not in {401, 403}}
        scope = row["introspected_scope"]
        try:
            fitness.refuse_unfit(
                exchanged(kind, answer(introspected(scope))), OAUTH, forge=AT.forge
            )
        except Rejected:
            continue
        assert not beyond & opened, row["case"]


@kinds
def test_token_that_may_not_write_is_refused_as_that(kind: str) -> None:
    told = {"active": True, "aud": [AT.client_id], "scope": "read:user"}

    with pytest.raises(Rejected) as caught:
        exchanged(kind, answer(told))

    assert caught.value.reason == DelegationRefusal.CANNOT_WRITE


@kinds
@pytest.mark.parametrize(
    "case", ["introspect-pat", "introspect-garbage", "introspect-wrong-secret"]
)
def test_token_of_which_the_forge_does_not_tell_is_refused(kind: str, case: str) -> None:
    with pytest.raises(Rejected) as caught:
        exchanged(kind, recorded(kind, "oauth", case))

    assert caught.value.reason in {DelegationRefusal.DENIED, DelegationRefusal.NO_CLIENT}


def prove(answer: Answer) -> Sequence[Sent]:
    assert OAUTH.prove is not None
    return hold(OAUTH.prove(AT), answer)[1]


@kinds
def test_forge_that_does_not_ask_who_we_are_takes_our_secret(kind: str) -> None:
    (sent,) = prove(recorded(kind, "oauth", "introspect-pat"))

    # Of a token that they do not know, both say so before they look at the secret.
    assert sent.request.form is not None
    assert [v.reveal() for v in sent.request.form.values() if isinstance(v, Secret)] == [""]
    basic = sent.request.basic
    assert basic is not None
    assert (basic.user, basic.password.reveal()) == (AT.client_id, AT.secret().reveal())


@kinds
@pytest.mark.parametrize("case", ["introspect-wrong-secret", "introspect-public-client"])
def test_secret_that_the_forge_does_not_take_is_told(kind: str, case: str) -> None:
    with pytest.raises(Rejected) as caught:
        prove(recorded(kind, "oauth", case))

    assert caught.value.reason == DelegationRefusal.NO_CLIENT


@kinds
def test_token_of_a_deactivated_person_is_refused(kind: str) -> None:
    """It is introspected with a page."""
    with pytest.raises(Rejected):
        exchanged(kind, recorded(kind, "identity", "introspect-deactivated"))


def test_token_of_another_client_is_refused() -> None:
    told = {"active": True, "aud": ["another"], "scope": "read:user write:repository"}

    with pytest.raises(Rejected) as caught:
        hold(
            OAUTH.exchange(AT, GRANT),
            answer({"access_token": "example-access-token", "expires_in": 3600}),
            answer(told),
        )

    assert caught.value.reason == DelegationRefusal.DENIED


@kinds
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("token-replayed-code", DelegationRefusal.EXPIRED),
        ("token-wrong-verifier", DelegationRefusal.EXPIRED),
        ("token-unknown-client", DelegationRefusal.NO_CLIENT),
    ],
)
def test_refused_exchange_has_its_reason(kind: str, case: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        hold(OAUTH.exchange(AT, GRANT), recorded(kind, "oauth", case))

    assert caught.value.reason == reason


@pytest.mark.parametrize("seconds", [None, 0, -1, True, "3600", 10**9])
def test_token_that_does_not_end_in_time_is_refused(seconds: Any) -> None:
    told = {"active": True, "aud": [AT.client_id], "scope": "read:user write:repository"}
    token = {"access_token": "example-access-token", "expires_in": seconds}
    delegated, _ = hold(OAUTH.exchange(AT, GRANT), answer(token), answer(told))

    with pytest.raises(Rejected) as caught:
        fitness.refuse_unfit(delegated, OAUTH, forge=AT.forge)
    assert caught.value.reason == DelegationRefusal.TOO_LONG_LIVED


@kinds
def test_forge_tells_whose_a_token_is(kind: str) -> None:
    user = recorded(kind, "identity", "user-oauth-bearer")

    assert hold(OAUTH.whose(AT, PERSONAL, "acme"), user)[0] == ForgeUser(id="2", login="ada")


def test_nobody_narrows_or_ends_a_token_there() -> None:
    assert (OAUTH.narrow, OAUTH.revoke) == (None, None)


def inspected(kind: str, token: Secret, *answers: Answer) -> Inspection:
    question = Question(credential=token, kind=INSPECTION.kind_of(token), now=NOW)
    return hold(INSPECTION.inspect(question), *answers)[0]


# Neither Forgejo nor Gitea before 1.27 tells a token what it is.
OLDER = Answer(status=404, headers={}, body=b"404 page not found\n")
# As Gitea 1.27.3 tells it.
CURRENT = {
    "id": 7,
    "name": "made-up",
    "scopes": ["write:repository", "read:issue"],
    "created_at": "2026-11-20T22:36:20Z",
    "last_used_at": "2026-11-23T07:59:59Z",
    "user": {"id": 4, "login": "flux-bot"},
}


def test_gitea_tells_any_stored_token_what_it_is() -> None:
    """Not when it was used last: that is the question itself."""
    user = answer({"id": 4, "login": "flux-bot", "active": True})

    found = inspected("gitea", PERSONAL, user, answer(CURRENT))

    assert (found.validity, found.scopes) == (
        TokenValidity.VALID,
        ("read:issue", "write:repository"),
    )
    assert found.standing is TokenOwnerStanding.ACTIVE
    assert found.created_at == datetime(2026, 11, 20, 22, 36, 20, tzinfo=UTC)
    assert (found.last_used_at, found.expires_at, found.expiry_known) == (None, None, True)


def test_gitea_tells_whose_a_token_is_that_may_not_read_that() -> None:
    refused = recorded("gitea", "identity", "user-pat-lacks-scope")

    found = inspected("gitea", PERSONAL, refused, answer(CURRENT))

    assert found.validity is TokenValidity.VALID
    assert found.owner == ForgeUser(id="4", login="flux-bot")
    assert found.standing is TokenOwnerStanding.UNSPECIFIED


def test_labels_take_one_more_scope_and_only_where_they_are_wanted() -> None:
    names = PullRequestNames(labels=("promotion",))
    labelling = replace(AT, forge=AT.forge.model_copy(update={"pull_requests": names}))

    url = urlsplit(OAUTH.authorize_url(labelling, Challenge(state="s", code_challenge="c")))

    assert parse_qs(url.query)["scope"] == ["read:issue read:user write:repository"]
    more = exchanged("gitea", answer(introspected("read:issue read:user write:repository")))
    fitness.refuse_unfit(more, OAUTH, forge=labelling.forge)
    # A consent from before is kept by the forge; it labels nothing, and all else goes on.
    less = exchanged("gitea", answer(introspected("read:user write:repository")))
    fitness.refuse_unfit(less, OAUTH, forge=labelling.forge)
    with pytest.raises(Rejected) as caught:
        fitness.refuse_unfit(more, OAUTH, forge=AT.forge)
    assert caught.value.reason == DelegationRefusal.TOO_STRONG


def test_forgejo_tells_the_scopes_of_a_stored_token() -> None:
    user = answer({"id": 4, "login": "flux-bot"})
    listed = recorded("forgejo", "identity", "tokens-list-with-pat")

    # As the recording ends that token.
    found = inspected("forgejo", Secret("a" * 32 + "flux-bot"), user, OLDER, listed)

    assert (found.validity, found.scopes) == (
        TokenValidity.VALID,
        ("read:user", "write:repository"),
    )
    assert SCOPES.sufficient & set(found.scopes or ())


def test_gitea_before_1_27_tells_owner_and_no_scopes_of_a_stored_token() -> None:
    user = recorded("gitea", "identity", "user-oauth-bearer")
    refused = recorded("gitea", "identity", "tokens-list-with-pat")

    found = inspected("gitea", PERSONAL, user, OLDER, refused)

    assert found.validity is TokenValidity.VALID
    assert found.owner == ForgeUser(id="2", login="ada")
    assert (found.scopes, found.expires_at, found.expiry_known) == (None, None, True)


@kinds
@pytest.mark.parametrize("case", ["user-garbage-token", "user-deleted-pat"])
def test_token_that_was_deleted_is_invalid(kind: str, case: str) -> None:
    found = inspected(kind, PERSONAL, recorded(kind, "identity", case))

    assert (found.validity, found.why) == (TokenValidity.INVALID, TokenReason.REFUSED)


@kinds
def test_token_that_may_not_say_whose_it_is_stays_unknown(kind: str) -> None:
    found = inspected(kind, PERSONAL, recorded(kind, "identity", "user-pat-lacks-scope"), OLDER)

    assert (found.validity, found.why) == (TokenValidity.UNKNOWN, TokenReason.FORBIDDEN)
    if kind == "gitea":
        assert found.scopes == ("read:repository",)


@kinds
@pytest.mark.parametrize("case", ["user-deactivated-pat", "user-prohibited-pat"])
def test_token_of_a_deactivated_owner_is_invalid_and_says_why(kind: str, case: str) -> None:
    found = inspected(kind, PERSONAL, recorded(kind, "identity", case))

    assert (found.validity, found.why) == (
        TokenValidity.INVALID,
        TokenReason.OWNER_DEACTIVATED,
    )
    assert found.standing is TokenOwnerStanding.DEACTIVATED


def test_forgejo_tells_the_repositories_that_a_token_is_limited_to() -> None:
    user = recorded("forgejo", "identity", "user-oauth-bearer")
    listed = recorded("forgejo", "identity", "tokens-list-after-use")

    found = inspected("forgejo", Secret("a" * 32 + "y-gitops"), user, OLDER, listed)

    assert found.repositories == ("shop/gitops",)
    assert found.standing is TokenOwnerStanding.ACTIVE


def test_gitea_tells_when_a_token_was_made_and_used() -> None:
    """As its API description has it; a listing takes the password or a newer server."""
    user = recorded("gitea", "identity", "user-oauth-bearer")
    row = {
        "token_last_eight": "flux-bot",
        "scopes": ["write:repository"],
        "created_at": "2026-01-02T03:04:05Z",
        "last_used_at": "2026-11-22T17:12:09+01:00",
    }

    found = inspected("gitea", Secret("a" * 32 + "flux-bot"), user, OLDER, answer([row]))

    assert found.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert found.last_used_at == datetime(2026, 11, 22, 16, 12, 9, tzinfo=UTC)
    never = answer([row | {"last_used_at": "0001-01-01T00:00:00Z"}])
    assert (
        inspected("gitea", Secret("a" * 32 + "flux-bot"), user, OLDER, never).last_used_at is None
    )


def test_kind_of_a_token_is_told_by_its_form() -> None:
    assert INSPECTION.kind_of(PERSONAL) is TokenKind.PERSONAL
    assert INSPECTION.kind_of(Secret("eyJhbGciOi.madeup.madeup")) is TokenKind.OAUTH_APP
