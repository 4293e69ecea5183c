"""Refusals of GitHub that pass by themselves, and those that stay until somebody does something."""

import json
from typing import Any

import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects.exchange import Answer
from countersign.dialects.github import graphql
from countersign.dialects.refusals import ForgeRefusal

DATE = {"date": "Mon, 23 Nov 2026 08:00:00 GMT"}
SPENT = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795421700"}  # a quarter past
LIMIT = {
    "type": "RATE_LIMIT",
    "code": "graphql_rate_limit",
    "message": "API rate limit already exceeded for user ID 1.",
}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}


def answer(*errors: dict[str, Any], headers: dict[str, str] = DATE) -> Answer:
    body = {"data": {"repository": None}, "errors": list(errors)}
    return Answer(status=200, headers=headers, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("error", "headers", "after_s"),
    [
        pytest.param(LIMIT, {**DATE, **SPENT}, 900, id="until the reset"),
        pytest.param({**LIMIT, "type": "RATE_LIMITED"}, {**DATE, **SPENT}, 900, id="other word"),
        pytest.param(LIMIT, {**DATE, **SPENT, "retry-after": "7"}, 7, id="as the header says"),
        pytest.param(LIMIT, DATE, 60, id="nothing said"),
        pytest.param(LIMIT, SPENT, 3600, id="no clock"),
        pytest.param(SECONDARY, {**DATE, "retry-after": "90"}, 90, id="secondary, with 200"),
    ],
)
def test_limit_is_waited_for_as_long_as_github_says(
    error: dict[str, Any], headers: dict[str, str], after_s: float
) -> None:
    with pytest.raises(Retryable) as caught:
        graphql.data_of(answer(error, headers=headers), where="look")

    assert caught.value.reason is ForgeRefusal.RATE_LIMITED
    assert caught.value.after_s == after_s


def test_limit_of_a_mutation_is_one_whatever_else_was_answered() -> None:
    body = {"data": {"ref": {"ref": {"id": "R_1"}}}, "errors": [{**LIMIT, "path": ["commit"]}]}
    told = Answer(status=200, headers=DATE, body=json.dumps(body).encode())

    with pytest.raises(Retryable):
        graphql.data_of(told, where="commit")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(
            {
                "type": "FORBIDDEN",
                "extensions": {"saml_failure": True},
                "message": "Resource protected by organization SAML enforcement.",
            },
            ForgeRefusal.SIGN_ON_WANTED,
            id="no session of single sign-on",
        ),
        pytest.param(
            {"type": "FORBIDDEN", "message": "Resource not accessible by integration"},
            ForgeRefusal.FORBIDDEN,
            id="no permission",
        ),
        pytest.param(
            {
                "type": "UNPROCESSABLE",
                "message": "Repository rule violations found\n\nCannot create ref due to creations "
                "being restricted.",
            },
            ForgeRefusal.REFUSED,
            id="ruleset",
        ),
        pytest.param(
            {"type": "UNPROCESSABLE", "message": "Could not create ref"},
            ForgeRefusal.REFUSED,
            id="name in the way",
        ),
        pytest.param(
            {"type": "STALE_DATA", "message": "Expected branch to point to a but it did not"},
            ForgeRefusal.CONFLICT,
            id="moved",
        ),
    ],
)
def test_refusal_has_its_reason(error: dict[str, Any], reason: ForgeRefusal) -> None:
    with pytest.raises(Rejected) as caught:
        graphql.refuse([error], where="commit")

    assert caught.value.reason is reason
