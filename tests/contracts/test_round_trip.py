"""Any message that can be built survives the wire, for us and for protobuf."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    DeadLetter,
    PipelineObserved,
    PromotionRequested,
    RedeemRequest,
    TokenChecked,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
INT = st.integers(min_value=1, max_value=2**31 - 1)
OFFSETS = st.integers(min_value=-14 * 60, max_value=14 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
TIMES = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants bounds without a zone
    max_value=datetime(2199, 12, 30),  # noqa: DTZ001
    timezones=OFFSETS,
)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: INT,
    bool: st.booleans(),
    bytes: st.binary(min_size=1, max_size=40),
    AwareDatetime: TIMES,
}


def built(model: type[Message]) -> st.SearchStrategy[Message]:
    return st.deferred(lambda: st.fixed_dictionaries(_fields(model)).map(model.model_validate))


def _fields(model: type[Message]) -> dict[str, st.SearchStrategy[Any]]:
    return {name: _strategy(field.annotation) for name, field in model.model_fields.items()}


def _strategy(annotation: Any) -> st.SearchStrategy[Any]:
    arguments = getattr(annotation, "__args__", ())
    if type(None) in arguments:
        inner = next(a for a in arguments if a is not type(None))
        return st.none() | _strategy(inner)
    if getattr(annotation, "__origin__", None) is tuple:
        return st.lists(_strategy(arguments[0]), max_size=2).map(tuple)
    if hasattr(annotation, "__metadata__"):
        return _strategy(annotation.__origin__)
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return built(annotation)
    return SCALARS[annotation] if annotation in SCALARS else st.sampled_from(annotation)


@pytest.mark.parametrize(
    "model",
    [PromotionRequested, PipelineObserved, TokenChecked, RedeemRequest, DeadLetter],
    ids=lambda m: m.__name__,
)
@settings(max_examples=40)
@given(data=st.data())
def test_message_survives_the_wire(data: st.DataObject, model: type[Message]) -> None:
    message = data.draw(built(model))

    assert model.from_json(message.to_json()) == message


@settings(max_examples=60)
@given(message=built(PromotionRequested))
def test_protobuf_reads_what_we_write(new_message: Any, message: Message) -> None:
    theirs = json_format.Parse(message.to_json(), new_message("PromotionRequested"))

    assert json_format.MessageToDict(theirs) == json.loads(message.to_json())


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-23T08:05:00Z", "2026-11-23T08:05:00Z"),
        ("2026-11-23T08:05:00.5Z", "2026-11-23T08:05:00.500Z"),
        ("2026-11-23T08:05:00.123456789Z", "2026-11-23T08:05:00.123456Z"),
        ("2026-11-23T10:05:00+02:00", "2026-11-23T08:05:00Z"),
        ("2026-11-23T08:05:00.000001Z", "2026-11-23T08:05:00.000001Z"),
    ],
)
def test_times_are_written_canonically(written: str, read: str) -> None:
    letter = {"stream": "S", "consumer": "c", "subject": "s", "reason": "r", "diedAt": written}

    parsed = DeadLetter.from_json(json.dumps(letter))

    assert json.loads(parsed.to_json())["diedAt"] == read


def test_time_without_a_zone_is_malformed() -> None:
    assert DeadLetter.model_fields["died_at"].annotation is not None
    with pytest.raises(ValueError, match="timezone"):
        DeadLetter(
            stream="S",
            consumer="c",
            subject="s",
            reason="r",
            died_at=datetime(2026, 11, 23, tzinfo=UTC).replace(tzinfo=None),
        )


@pytest.mark.parametrize("spelling", ["+/8=", "-_8=", "-_8", "+/8"])
def test_bytes_are_read_in_every_spelling_of_base64(spelling: str) -> None:
    letter = {"stream": "S", "consumer": "c", "subject": "s", "reason": "r", "body": spelling}

    parsed = DeadLetter.from_json(json.dumps(letter))

    assert parsed.body == b"\xfb\xff"
    assert json.loads(parsed.to_json())["body"] == "+/8="
