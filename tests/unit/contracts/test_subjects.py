"""Subjects: what is published where, and that names cannot break out of their place."""

import pytest
from doubles import stories
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts import subjects
from countersign.contracts.messages import (
    EVENTS,
    METHODS,
    PipelineDeleted,
    PipelineRef,
    PromotionRef,
    PromotionRetried,
    SecretRef,
    TokenUsed,
)

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
TOKEN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_=ABCDEF")


@given(NAMES)
def test_kubernetes_name_survives_being_a_token(name: str) -> None:
    token = subjects.encode_name(name)

    assert set(token) <= TOKEN
    assert subjects.decode_name(token) == name


@given(TEXT)
def test_free_text_survives_being_a_token(text: str) -> None:
    token = subjects.encode_free(text)

    assert set(token) <= TOKEN
    assert token
    assert subjects.decode_free(token) == text


@given(TEXT, TEXT)
def test_different_texts_are_different_tokens(one: str, other: str) -> None:
    assert (subjects.encode_free(one) == subjects.encode_free(other)) == (one == other)


@given(st.text(max_size=40))
def test_decoding_foreign_tokens_never_fails(token: str) -> None:
    subjects.decode_free(token)


@given(NAMES, NAMES, TEXT)
def test_event_subject_has_as_many_tokens_as_its_kind(
    namespace: str, pipeline: str, environment: str
) -> None:
    where = PipelineRef(namespace=namespace, name=pipeline, uid="u")
    ref = PromotionRef(promotion_id="p" * 16, pipeline=where, environment=environment)
    event = PromotionRetried(promotion=ref)

    subject = subjects.event_subject(event)

    assert len(subject.split(".")) == 8
    assert subject.startswith("countersign.v1.promotion.retried.")
    assert subjects.event_model(subject) is PromotionRetried


@pytest.mark.parametrize(
    ("environment", "token"),
    [("prod", "prod"), ("Prod", "=50rod"), ("a.b", "a=2Eb"), ("a b", "a=20b"), ("*", "=2A"),
     (">", "=3E"), ("=", "=3D"), ("ü", "=C3=BC"), ("a/b", "a=2Fb")],
)  # fmt: skip
def test_environment_is_written_as_one_token(environment: str, token: str) -> None:
    assert subjects.encode_free(environment) == token


def test_name_with_a_dot_is_written_with_an_underscore() -> None:
    assert subjects.encode_name("podinfo.lock") == "podinfo_lock"


def test_delegated_credential_cannot_be_a_secret_of_somebody() -> None:
    event = TokenUsed(
        credential=SecretRef(namespace="shop", name=subjects.DELEGATED_CREDENTIAL),
    )

    assert subjects.event_subject(event) == "countersign.v1.token.used.shop._delegated"


def test_intake_differs_from_where_it_is_heard() -> None:
    event = PipelineDeleted(pipeline=PipelineRef(namespace="shop", name="checkout", uid="u"))

    assert subjects.event_subject(event, root=subjects.INTAKE_ROOT) == (
        "countersign-in.v1.pipeline.deleted.shop.checkout"
    )


@pytest.mark.parametrize("model", EVENTS, ids=lambda m: m.__name__)
def test_every_event_has_a_stream_and_a_template(model: type) -> None:
    assert subjects.stream_of(model) in {"PROMOTIONS", "PIPELINES", "TOKENS"}
    assert subjects.event_template(model).startswith(subjects.EVENT_ROOT)


@pytest.mark.parametrize("subject", ["", "x", "countersign.v1.no.such.a.b", "countersign.v1"])
def test_foreign_subject_has_no_model(subject: str) -> None:
    assert subjects.event_model(subject) is None


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.verb)
def test_request_is_addressed_exactly_where_its_method_is(method: object) -> None:
    known = next(m for m in METHODS.values() if m is method)
    replica = "approval-0" if known.addressed else ""

    assert subjects.rpc_subject(known, replica=replica).startswith(subjects.RPC_ROOT)
    with pytest.raises(ValueError, match="replica needed"):
        subjects.rpc_subject(known, replica="" if known.addressed else "approval-0")


def test_fact_of_an_attempt_has_one_id_whoever_tells_it_and_however() -> None:
    """Webhook and polling told a merge under ids of their own, so that it was heard twice."""
    hooked = stories.merged().model_copy(update={"by": None, "merge_commit": ""})

    assert subjects.fact_id(hooked) == subjects.fact_id(stories.merged())
    others = (stories.merged(attempt=2), stories.closed(), stories.completed())
    assert len({subjects.fact_id(e) for e in (hooked, *others)}) == 1 + len(others)
