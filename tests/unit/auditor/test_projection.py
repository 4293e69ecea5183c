"""What the streams say of credentials, and what is news of it."""

from datetime import timedelta

import pytest
from doubles.auditing import KEY, START, observed, use, used

from countersign.auditor.model import CredentialKey
from countersign.auditor.projection import Projection
from countersign.contracts.messages import (
    PipelineDeleted,
    PipelineRef,
    SecretRef,
    TokenChecked,
    TokenUsed,
    TokenUseOutcome,
    TokenValidity,
)
from countersign.contracts.subjects import DELEGATED_CREDENTIAL

MINUTE = timedelta(minutes=1)


@pytest.fixture
def projection() -> Projection:
    return Projection()


def checked(at_minute: int = 0, **changes: object) -> TokenChecked:
    event = TokenChecked(
        credential=KEY.ref,
        validity=TokenValidity.VALID,
        checked_at=START + at_minute * MINUTE,
        uses=(use(),),
    )
    return event.model_copy(update=changes)


def test_secret_is_news_when_a_pipeline_begins_or_ends_to_name_it(projection: Projection) -> None:
    gone = PipelineDeleted(pipeline=PipelineRef(namespace="apps", name="podinfo", uid="u1"))

    assert projection.pipeline_observed(observed(use())) == {KEY}
    assert projection.pipeline_observed(observed(use())) == set()
    assert projection.named() == {KEY}
    assert projection.pipeline_deleted(gone) == {KEY}
    assert projection.named() == frozenset()


def test_newest_use_counts_in_whatever_order_they_come(projection: Projection) -> None:
    assert projection.token_used(used(START)) == {KEY}
    assert projection.token_used(used(START - MINUTE)) == set()

    last = projection.last_used(KEY)
    assert last is not None
    assert last.used_at == START


def test_refusal_is_remembered_though_it_is_not_the_newest_use(projection: Projection) -> None:
    projection.token_used(used(START))
    projection.token_used(used(START - MINUTE, TokenUseOutcome.REFUSED))

    assert projection.refused_at(KEY) == START - MINUTE


def test_use_of_a_delegation_or_without_a_time_concerns_no_secret(projection: Projection) -> None:
    delegated = SecretRef(namespace="apps", name=DELEGATED_CREDENTIAL)

    assert projection.token_used(TokenUsed(credential=delegated, used_at=START)) == set()
    assert projection.token_used(TokenUsed(credential=KEY.ref)) == set()


def test_older_check_does_not_replace_a_newer_one(projection: Projection) -> None:
    assert projection.token_checked(checked(5)) == {KEY}
    assert projection.token_checked(checked(5)) == set()
    assert projection.token_checked(checked(1)) == set()

    found = projection.checked(KEY)
    assert found is not None
    assert found.checked_at == START + 5 * MINUTE


def test_what_nobody_names_is_not_known(projection: Projection) -> None:
    projection.token_checked(checked(uses=()))

    assert projection.known() == frozenset()


def test_forgetting_checks_keeps_what_pipelines_name(projection: Projection) -> None:
    projection.pipeline_observed(observed(use()))
    projection.token_checked(checked())

    assert projection.forget_checked() == {KEY}
    assert projection.checked(KEY) is None
    assert projection.uses(CredentialKey("apps", "promotion")) == (use(),)
