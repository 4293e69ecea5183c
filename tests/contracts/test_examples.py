"""Golden examples: what other languages may send us, and what we send them."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from reference import ROOT

from countersign.contracts import messages
from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS, METHODS

EXAMPLES = ROOT / "proto/examples"
MODELS: tuple[type[Message], ...] = (
    *EVENTS,
    *(model for method in METHODS.values() for model in (method.request, method.response)),
    messages.DeadLetter,
)
EVERY_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)


def example(model: type[Message], *, future: bool = False) -> str:
    name = f"{model.__name__}{'.future' if future else ''}.json"
    return (EXAMPLES / name).read_text()


def required_fields(model: type[Message]) -> list[str]:
    fields = model.model_fields.items()
    return [field.alias or name for name, field in fields if field.is_required()]


def test_every_example_belongs_to_a_message() -> None:
    names = {path.name.partition(".")[0] for path in EXAMPLES.glob("*.json")}

    assert names == {model.__name__ for model in MODELS}


@EVERY_MODEL
def test_example_shows_every_field(model: type[Message]) -> None:
    shown = set(json.loads(example(model)))
    has_problem = "problem" in model.model_fields

    known = {field.alias or name for name, field in model.model_fields.items()}
    # A response tells either of a problem or of a result.
    assert shown == known or (has_problem and shown)


@EVERY_MODEL
def test_example_means_the_same_to_protobuf_and_to_us(
    model: type[Message], new_message: Any
) -> None:
    """Both read it, and both write it back in the one canonical form."""
    text = example(model)

    ours = json.loads(model.from_json(text).to_json())
    theirs = json_format.Parse(text, new_message(model.__name__))

    assert ours == json.loads(text)
    assert ours == json_format.MessageToDict(theirs)


@EVERY_MODEL
def test_unknown_fields_are_ignored(model: type[Message], new_message: Any) -> None:
    """A reader of today understands a sender of tomorrow."""
    text = example(model, future=True)

    ours = model.from_json(text)
    theirs = json_format.Parse(text, new_message(model.__name__), ignore_unknown_fields=True)

    assert ours == model.from_json(example(model))
    assert json.loads(ours.to_json()) == json_format.MessageToDict(theirs)


@pytest.mark.parametrize(
    ("model", "field"),
    [(model, field) for model in MODELS for field in required_fields(model)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_message_without_a_required_field_is_rejected_by_name(
    model: type[Message], field: str
) -> None:
    body = json.loads(example(model))
    del body[field]

    with pytest.raises(Rejected) as caught:
        model.from_json(json.dumps(body))

    assert caught.value.reason == "malformed"
    assert field in caught.value.message


@pytest.mark.parametrize(
    "body",
    [b"", b"not JSON", b"[]", b"null", b'"text"', b"{", b"\xff\xfe", b'{"promotion": 1}'],
    ids=repr,
)
def test_body_that_is_no_message_is_rejected_without_its_content(body: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        messages.PromotionRequested.from_json(body)

    assert caught.value.reason == "malformed"
    assert "not JSON" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_rejection_of_a_malformed_message_never_quotes_its_values() -> None:
    body = json.loads(example(messages.CompleteRequest))
    body["code"] = {"made-up-code-value": 1}

    with pytest.raises(Rejected) as caught:
        messages.CompleteRequest.from_json(json.dumps(body))

    assert "made-up-code-value" not in str(caught.value)


def test_unknown_enum_value_reads_as_unspecified() -> None:
    body = json.loads(example(messages.PullRequestFailed))
    body["reason"] = "FAILURE_REASON_ADDED_LATER"

    failed = messages.PullRequestFailed.from_json(json.dumps(body))

    assert failed.reason is messages.FailureReason.UNSPECIFIED


def test_examples_of_the_future_differ_from_those_of_today() -> None:
    same = [p for p in EXAMPLES.glob("*.future.json") if _twin(p).read_text() == p.read_text()]

    assert same == []


def _twin(path: Path) -> Path:
    return path.with_name(path.name.replace(".future", ""))
