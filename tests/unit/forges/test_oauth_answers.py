"""Answers about tokens, whatever is in them: refused in our words, or understood."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import TokenKind
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.oauth import Target
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Answer
from countersign.dialects.github import inspection
from countersign.dialects.github import oauth_answers as answers

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TARGET = Target(owner="shop", repository="deploy", ends_by=NOW)
TOKEN = Secret("ghu_made-up-token")
NAMES = st.sampled_from(
    [
        "access_token",
        "expires_in",
        "error",
        "token",
        "expires_at",
        "installation",
        "permissions",
        "repository_selection",
        "installations",
        "total_count",
        "repositories",
        "full_name",
        "id",
        "login",
        "type",
        "push",
    ]
)
ODD = st.sampled_from([float("nan"), float("inf"), -1, 0, 2**63, True, None]) | st.sampled_from(
    ["", "\ud800", "\u202e", "9" * 5000, "ghu_made-up-child", "selected"]
)
ODD |= st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
BODIES = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5)
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset"])
    | st.sampled_from(["x-oauth-scopes", "x-github-sso", "github-authentication-token-expiration"]),
    st.sampled_from(
        ["", "0", "-1", "9" * 5000, "NaN", "٣", "repo, \ud800", "9999-12-31 23:59:59 UTC"]
    ),
)
STATUSES = st.sampled_from([200, 204, 301, 401, 403, 404, 422, 429, 500])


def everything(answer: Answer) -> list[Callable[[], object]]:
    child = answers.Child(token=TOKEN, expires_at=NOW, permissions={}, selected=True)
    return [
        lambda: answers.postpone_limited(answer, where="F"),
        lambda: answers.delegated(answer, where="F"),
        lambda: answers.user(answer, where="F"),
        lambda: answers.refuse_wide(
            answers.child(answer, token=TOKEN, name="shop/deploy", where="F"), TARGET, where="F"
        ),
        lambda: answers.refuse_wide(child, TARGET, where="F"),
        lambda: answers.installations(answer, at_most=10, where="F"),
        lambda: answers.refuse_other_repositories([answer], name="shop/deploy", where="F"),
        lambda: answers.refuse_alive(answer, where="F"),
    ]


def reason_of(read: Callable[[], object]) -> str:
    try:
        read()
    except (Rejected, Retryable) as error:
        return error.reason
    return ""


@settings(max_examples=400, deadline=None)
@given(status=STATUSES, headers=HEADERS, body=BODIES | st.binary(max_size=64))
def test_any_answer_is_refused_in_our_words_or_understood(
    status: int, headers: dict[str, str], body: object
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Answer(
        status=status, headers={"content-type": "application/json", **headers}, body=content
    )

    for read in everything(answer):
        assert reason_of(read) in {"", *DelegationRefusal}
    for kind in TokenKind:
        inspection.read(answer, kind=kind, now=NOW)


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "-Infinity", "1e400", "3600.5", "true"])
def test_lifetime_that_is_no_number_of_seconds_is_none(seconds: str) -> None:
    body = f'{{"access_token": "ghu_made-up-token", "expires_in": {seconds}}}'.encode()

    told = answers.delegated(Answer(status=200, headers={}, body=body), where="F")

    assert told.expires_in_s is None


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {}),
        (403, {"retry-after": "7"}),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}),
    ],
)
def test_limit_of_the_application_passes_and_is_no_refusal(
    status: int, headers: dict[str, str]
) -> None:
    """It was told as a person's missing right, and as a revocation that failed for good."""
    answer = Answer(status=status, headers=headers, body=b"{}")

    with pytest.raises(Retryable) as caught:
        answers.postpone_limited(answer, where="F")

    assert caught.value.after_s == (7 if headers.get("retry-after") else 60)


def test_missing_single_sign_on_is_told_as_that() -> None:
    headers = {"x-github-sso": "required; url=https://evil.example/x"}

    with pytest.raises(Rejected) as caught:
        answers.child(
            Answer(status=403, headers=headers, body=b"{}"),
            token=TOKEN,
            name="shop/deploy",
            where="F",
        )

    assert caught.value.reason == DelegationRefusal.DENIED
    assert "evil" not in caught.value.message
