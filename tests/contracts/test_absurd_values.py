"""Values valid in form and absurd in meaning are refused where a message is parsed, in each."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from reference import ROOT

from countersign.contracts import messages
from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.wire.times import EARLIEST, LATEST, plausible

ABSURD_TIMES = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59-12:00",
    "2200-01-01T00:00:00Z",
]
EXAMPLES = sorted((ROOT / "proto/examples").glob("*.json"))


def places(value: Any, is_one: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything in an example that `is_one` names by key and value."""
    found: list[tuple[Any, ...]] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        if is_one(key, inner):
            found.append((*path, key))
        if isinstance(inner, dict | list):
            found += places(inner, is_one, (*path, key))
    return found


def replaced(example: Any, path: tuple[Any, ...], value: Any) -> bytes:
    whole = json.loads(json.dumps(example))
    place = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(whole).encode()


def model_of(name: str) -> type[Message]:
    model = getattr(messages, name)
    assert issubclass(model, Message)
    return model


def cases(is_one: Any) -> list[Any]:
    return [
        pytest.param(model_of(file.stem), example, path, id=f"{file.stem}-{path[-1]}")
        for file in EXAMPLES
        if file.stem.isalpha()
        for example in [json.loads(file.read_text())]
        for path in places(example, is_one)
    ]


def is_time(key: Any, value: Any) -> bool:
    return isinstance(value, str) and str(key).endswith("At") and value.endswith("Z")


def is_number(key: Any, value: Any) -> bool:
    return type(value) is int


@pytest.mark.parametrize("absurd", ABSURD_TIMES)
@pytest.mark.parametrize(("model", "example", "path"), cases(is_time))
def test_time_that_nobody_can_mean_is_refused(
    model: type[Message], example: Any, path: Any, absurd: str
) -> None:
    with pytest.raises(Rejected) as refused:
        model.from_json(replaced(example, path, absurd))

    assert refused.value.reason == "malformed"


@pytest.mark.parametrize("absurd", [2**31, -(2**31) - 1, 10**30, 1e400, "NaN"])
@pytest.mark.parametrize(("model", "example", "path"), cases(is_number))
def test_number_that_other_readers_do_not_take_is_refused(
    model: type[Message], example: Any, path: Any, absurd: Any
) -> None:
    with pytest.raises(Rejected):
        model.from_json(replaced(example, path, absurd))


def test_half_of_a_character_is_refused() -> None:
    with pytest.raises(Rejected):
        messages.Person.from_json(b'{"id": "\\ud800"}')


def test_examples_hold_times_and_numbers_to_try() -> None:
    assert len(cases(is_time)) > 20
    assert len(cases(is_number)) > 10


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (EARLIEST, EARLIEST),
        (EARLIEST - timedelta(microseconds=1), None),
        (LATEST - timedelta(microseconds=1), LATEST - timedelta(microseconds=1)),
        (LATEST, None),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), None),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))), None),
        (datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),  # noqa: DTZ001 - that is the case
    ],
    ids=["earliest", "before", "last", "latest", "first-of-all", "last-of-all", "without-zone"],
)
def test_plausible_times_are_in_utc(moment: datetime, expected: datetime | None) -> None:
    assert plausible(moment) == expected
