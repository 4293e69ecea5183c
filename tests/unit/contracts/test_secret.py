"""A secret that somebody tries to show shows nothing."""

import copy
import dataclasses
import json
import logging
import operator
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from countersign.contracts.secret import Secret

TEXT = "made-up-token-0000"


@dataclasses.dataclass(frozen=True)
class Holder:
    """Something that carries a secret along."""

    name: str
    token: Secret


class Model(BaseModel):
    """The same, for pydantic."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    token: Secret


WAYS_TO_SHOW: dict[str, Callable[[Any], object]] = {
    "str": str,
    "format": lambda s: f"{s}",
    "format-width": lambda s: f"{s:>20}",
    "percent": lambda s: "%s" % s,  # noqa: UP031 - a way to show
    "str.format": operator.methodcaller("__format__", ""),
    "join": lambda s: ",".join(["x", *([s] * 2)]),
    "concatenate": lambda s: "x" + s,
    "bytes": bytes,
    "json": json.dumps,
    "json-default": lambda s: json.dumps({"token": s}, default=str),
    "pickle": pickle.dumps,
    "pickle-in-a-holder": lambda s: pickle.dumps(Holder("a", s)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "asdict": lambda s: dataclasses.asdict(Holder("a", s)),
    "pydantic-json": lambda s: Model(token=s).model_dump_json(),
    "getstate": lambda s: s.__getstate__(),
    "vars": vars,
    "equality": lambda s: s == TEXT,
    "iterate": list,
    "index": lambda s: s[0],
    "length": len,
}


@pytest.mark.parametrize("way", WAYS_TO_SHOW, ids=str)
def test_secret_refuses_to_be_shown(way: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each way fails in its own manner
        WAYS_TO_SHOW[way](Secret(TEXT))

    shown = "".join(traceback.format_exception(caught.value))
    assert TEXT not in shown


@pytest.mark.parametrize(
    "way",
    [repr, lambda s: repr(Holder("a", s)), lambda s: f"{[s]}", lambda s: repr(Model(token=s)), dir],
    ids=["repr", "in-a-dataclass", "in-a-list", "in-a-model", "dir"],
)
def test_secret_shows_a_placeholder_where_representations_are_made(
    way: Callable[[Secret], Any],
) -> None:
    assert TEXT not in str(way(Secret(TEXT)))


def test_secret_in_a_log_call_does_not_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("token %r", Secret(TEXT))

    assert TEXT not in caplog.text


def test_secret_is_had_by_asking() -> None:
    assert Secret(TEXT).reveal() == TEXT


def test_secret_is_true_when_there_is_one() -> None:
    assert Secret(TEXT)
    assert not Secret("")


def test_two_secrets_do_not_tell_by_their_hash_that_they_are_alike() -> None:
    one, other = Secret(TEXT), Secret(TEXT)

    assert hash(one) != hash(other)
