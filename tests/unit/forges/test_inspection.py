"""Nothing is said of a token that GitHub itself did not say."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from countersign.contracts.messages import TokenKind, TokenOwnerStanding, TokenReason, TokenValidity
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.github import inspection
from countersign.dialects.inspection import Inspection, Question, is_sendable

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
USER = json.dumps({"id": 7, "login": "ada", "type": "User"}).encode()
JSON = {"content-type": "application/json; charset=utf-8"}


def read(status: int = 200, body: bytes = USER, **options: object) -> Inspection:
    headers = options.get("headers", {})
    kind = options.get("kind", TokenKind.CLASSIC)
    assert isinstance(headers, dict)
    assert isinstance(kind, TokenKind)
    return inspection.read(
        Answer(status=status, headers={**JSON, **headers}, body=body), kind=kind, now=NOW
    )


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("ghp_madeup0123456789", TokenKind.CLASSIC),
        ("github_pat_madeup0123456789", TokenKind.FINE_GRAINED),
        ("gho_madeup0123456789", TokenKind.OAUTH_APP),
        ("ghu_madeup0123456789", TokenKind.APP_USER),
        ("ghs_7_made.up.0123456789", TokenKind.APP_INSTALLATION),
        ("0123456789abcdef0123456789abcdef01234567", TokenKind.OTHER),
    ],
)
def test_kind_of_a_token_is_told_by_its_prefix(token: str, kind: TokenKind) -> None:
    assert inspection.token_kind(Secret(token)) is kind
    assert is_sendable(Secret(token))


@pytest.mark.parametrize("token", ["", "short", "ghp_made up", "ghp_madeup\nHost: elsewhere"])
def test_text_that_is_no_token_is_not_sendable(token: str) -> None:
    assert not is_sendable(Secret(token))


def test_accepted_token_tells_owner_and_scopes() -> None:
    found = read(headers={"x-oauth-scopes": "repo, read:user"})

    assert found.validity is TokenValidity.VALID
    assert found.owner is not None
    assert (found.owner.id, found.owner.login) == ("7", "ada")
    assert found.is_person
    assert found.scopes == ("read:user", "repo")


def test_fine_grained_token_has_no_scopes_that_could_be_known() -> None:
    assert read(kind=TokenKind.FINE_GRAINED).scopes is None


def test_classic_token_with_an_empty_header_has_no_scopes() -> None:
    assert read(headers={"x-oauth-scopes": ""}).scopes == ()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01 10:20:30 UTC", datetime(2026, 12, 1, 10, 20, 30, tzinfo=UTC)),
        ("2026-12-01 12:20:30 +0200", datetime(2026, 12, 1, 10, 20, 30, tzinfo=UTC)),
        ("2026-12-01 03:20:30 -0700", datetime(2026, 12, 1, 10, 20, 30, tzinfo=UTC)),
    ],
)
def test_expiry_is_read_from_the_header(text: str, moment: datetime) -> None:
    found = read(headers={"github-authentication-token-expiration": text})

    assert found.expires_at == moment
    assert found.expiry_known


def test_expiry_that_cannot_be_read_is_unknown_not_never() -> None:
    found = read(headers={"github-authentication-token-expiration": "soon"})

    assert found.expires_at is None
    assert not found.expiry_known


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (TokenKind.CLASSIC, True),
        (TokenKind.FINE_GRAINED, True),
        (TokenKind.OAUTH_APP, True),
        (TokenKind.APP_USER, False),
        (TokenKind.OTHER, False),
    ],
)
def test_absent_expiry_means_never_only_where_github_would_tell(
    kind: TokenKind, *, known: bool
) -> None:
    found = read(kind=kind)

    assert found.expires_at is None
    assert found.expiry_known is known


def test_refused_token_is_invalid_and_nothing_else_is_known() -> None:
    found = read(401, b'{"message": "Bad credentials"}')

    assert found.validity is TokenValidity.INVALID
    assert found.owner is None
    assert found.scopes is None
    assert not found.expiry_known


@pytest.mark.parametrize("status", [201, 202, 203, 204, 301, 302, 307, 404, 500, 503])
def test_any_other_status_is_no_success(status: int) -> None:
    found = read(status)

    assert found.validity is TokenValidity.UNKNOWN
    assert str(status) in found.detail
    assert found.why is not TokenReason.UNSPECIFIED
    assert found.owner is None


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html>Sign in</html>", {"content-type": "text/html"}),
        (USER, {"content-type": "text/html"}),
        (b"<html>", {}),
        (b"[]", {}),
        (b"", {}),
        (b'{"login": "ada"}', {}),
        (b'{"id": true, "login": "ada"}', {}),
        (b'{"id": 7, "login": "<b>"}', {}),
    ],
)
def test_page_or_strange_answer_is_no_success(body: bytes, headers: dict[str, str]) -> None:
    found = read(200, body, headers=headers)

    assert found.validity is TokenValidity.UNKNOWN
    assert found.why in {TokenReason.NOT_THE_FORGE, TokenReason.NOT_UNDERSTOOD}


def test_installation_is_valid_without_an_owner() -> None:
    found = read(200, b'{"total_count": 1}', kind=TokenKind.APP_INSTALLATION)

    assert found.validity is TokenValidity.VALID
    assert found.owner is None
    assert found.is_person is False
    assert "/installation/" in inspection.request(TokenKind.APP_INSTALLATION).url


def test_bot_is_no_person() -> None:
    body = b'{"id": 8, "login": "ci[bot]", "type": "Bot"}'

    assert read(200, body).is_person is False


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (429, {"retry-after": "90"}, 90),
        (403, {"retry-after": "5"}, 5),
        (
            403,
            {
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(int(NOW.timestamp()) + 600),
            },
            600,
        ),
        (429, {}, 60),
    ],
)
def test_limit_says_when_to_ask_again(status: int, headers: dict[str, str], wait_s: int) -> None:
    found = read(status, b"{}", headers=headers)

    assert found.validity is TokenValidity.UNKNOWN
    assert found.rest_until == NOW + timedelta(seconds=wait_s)


def test_last_request_of_the_hour_says_when_to_ask_again_though_it_succeeded() -> None:
    reset = NOW + timedelta(minutes=30)
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(reset.timestamp()))}

    found = read(headers=headers)

    assert found.validity is TokenValidity.VALID
    assert found.rest_until == reset


def test_single_sign_on_is_named_without_its_link() -> None:
    found = read(403, b"{}", headers={"x-github-sso": "required; url=https://evil.example/x"})

    assert found.why is TokenReason.SIGN_ON_WANTED
    assert "evil" not in found.detail


def conversed(question: Question, *answers: Answer) -> tuple[Inspection, list[Request]]:
    """Hold the conversation with these answers; returns the outcome and what was sent."""
    conversation, sent = inspection.INSPECTION.inspect(question), list[Request]()
    try:
        (asked,) = next(conversation)
        for told in answers:
            sent.append(asked.request)
            (asked,) = conversation.send((told,))
    except StopIteration as done:
        found: Inspection = done.value
        return found, sent
    raise AssertionError("it asks for more")


def told(status: int = 200, body: bytes = USER, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers={**JSON, **named}, body=body)


ASKED = Question(credential=Secret("ghp_madeup0123456789"), kind=TokenKind.CLASSIC, now=NOW)


def test_second_question_is_conditional_and_keeps_what_still_holds() -> None:
    first, _ = conversed(ASKED, told(etag='W/"3a"', x_oauth_scopes="repo"))
    again = replace(ASKED, before=first)

    found, sent = conversed(again, told(304, b"", etag='W/"3a"', x_oauth_scopes="gist, repo"))

    assert sent[0].headers["If-None-Match"] == 'W/"3a"'
    assert found.validity is TokenValidity.VALID
    assert found.owner == first.owner
    assert found.scopes == ("gist", "repo")


@pytest.mark.parametrize("status", [401, 500])
def test_conditional_question_that_is_refused_keeps_nothing(status: int) -> None:
    first, _ = conversed(ASKED, told(etag='"3a"', x_oauth_scopes="repo"))

    found, _ = conversed(replace(ASKED, before=first), told(status, b"{}"))

    assert found.validity is not TokenValidity.VALID


def test_strange_version_is_not_sent_back() -> None:
    first, _ = conversed(ASKED, told(etag='"3a"\r\nx: y'))

    assert first.version == ""


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (204, TokenOwnerStanding.ACTIVE),
        (302, TokenOwnerStanding.NOT_A_MEMBER),
        (404, TokenOwnerStanding.UNSPECIFIED),
        (403, TokenOwnerStanding.UNSPECIFIED),
    ],
)
def test_owner_is_looked_for_in_the_organization(status: int, standing: TokenOwnerStanding) -> None:
    question = replace(ASKED, owners=("acme", "Ada"))

    found, sent = conversed(question, told(x_oauth_scopes="read:org, repo"), told(status, b""))

    assert found.standing is standing
    assert [r.url for r in sent] == ["/user", "/orgs/acme/members/ada"]


def test_owner_is_not_looked_for_by_a_token_that_does_not_see_members() -> None:
    found, sent = conversed(replace(ASKED, owners=("acme",)), told(x_oauth_scopes="repo"))

    assert found.standing is TokenOwnerStanding.UNSPECIFIED
    assert len(sent) == 1
