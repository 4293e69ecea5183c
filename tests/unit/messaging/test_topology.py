"""What must change in streams and durables."""

from typing import Any

import pytest

from countersign.messaging.administration.provisioning import Change
from countersign.messaging.topology.streams import DURABLES, STREAMS, differences, with_replicas


def test_same_is_no_difference() -> None:
    config = STREAMS["PROMOTIONS"].config()

    assert differences(wanted=config, found=config | {"metadata": {"x": "y"}}) == {}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"a": 0}, {}),
        ({"a": False}, {}),
        ({"a": ""}, {}),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}),
        ({"a": {"src": "x"}}, {"a": {"src": "x", "other": 1}}),
    ],
    ids=["zero", "false", "empty", "order", "more"],
)
def test_what_means_the_same_is_no_difference(wanted: Any, found: Any) -> None:
    assert differences(wanted=wanted, found=found) == {}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"a": 1}, {}),
        ({"a": True}, {}),
        ({"a": -1}, {"a": 1}),
        ({"a": ["x"]}, {"a": ["x", "y"]}),
        ({"a": {"src": "x"}}, {"a": {"src": "y"}}),
        ({"a": {"src": "x"}}, {}),
    ],
)
def test_difference_is_found(wanted: Any, found: Any) -> None:
    assert differences(wanted=wanted, found=found) == {"a": (found.get("a"), wanted["a"])}


def test_change_tells_what_was_and_what_will_be() -> None:
    change = Change(kind="stream", name="S", missing=False, fields={"b": (1, 2), "a": (None, "x")})

    assert list(change.lines()) == ["~ stream S", '    a: null -> "x"', "    b: 1 -> 2"]


def test_copies_are_a_choice_of_the_installation() -> None:
    assert {s.config()["num_replicas"] for s in with_replicas(STREAMS, 3).values()} == {3}
    assert {s.config()["num_replicas"] for s in STREAMS.values()} == {1}


def test_work_is_acknowledged_explicitly() -> None:
    for durable in DURABLES.values():
        config = durable.config()
        assert config["ack_policy"] == "explicit"
        assert config["ack_wait"] == 30_000_000_000
        assert config["max_deliver"] > durable.tries_max
