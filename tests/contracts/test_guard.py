"""Nothing that was released changes unseen."""

import copy
import importlib.util
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from reference import ROOT

PROTO = ROOT / "proto"


def _module(name: str) -> Any:
    """A program of `proto/`, which is no package."""
    spec = importlib.util.spec_from_file_location(name, PROTO / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


guard = _module("guard")
RELEASED = json.loads((PROTO / "baseline.json").read_text())


def test_contracts_keep_what_was_released() -> None:
    assert list(guard.broken(RELEASED, guard.promised())) == []


def _rename_subject(now: Any) -> None:
    now["events"]["PromotionRequested"]["subject"] = "countersign.v1.promotion.asked.{namespace}"


def _require_more(now: Any) -> None:
    now["required"]["PromotionRequested"].append("revision")


def _require_less(now: Any) -> None:
    now["required"]["PromotionRef"].remove("promotionId")


def _close_enum(now: Any) -> None:
    now["enums"]["FailureReason"]["open"] = False


def _drop_value(now: Any) -> None:
    del now["enums"]["FailureReason"]["values"]["FAILURE_REASON_NO_MARKER"]


def _drop_header(now: Any) -> None:
    del now["headers"]["ce-type"]


def _loosen_header(now: Any) -> None:
    now["headers"]["ce-id"] = "where known"


def _retype(now: Any) -> None:
    now["fields"]["PromotionRef"]["attempt"] = ["string", None]


def _move_stream(now: Any) -> None:
    now["events"]["TokenUsed"]["stream"] = "PROMOTIONS"


def _drop_event(now: Any) -> None:
    del now["events"]["TokenUsed"]


@pytest.mark.parametrize(
    "change",
    [
        _rename_subject,
        _require_more,
        _require_less,
        _close_enum,
        _drop_value,
        _drop_header,
        _loosen_header,
        _retype,
        _move_stream,
        _drop_event,
    ],
    ids=lambda change: change.__name__.strip("_"),
)
def test_change_that_breaks_others_is_found(change: Callable[[Any], None]) -> None:
    now = copy.deepcopy(RELEASED)
    change(now)

    assert len(list(guard.broken(RELEASED, now))) == 1


def test_what_is_new_breaks_nobody() -> None:
    now = copy.deepcopy(RELEASED)
    now["events"]["PromotionPraised"] = {}
    now["headers"]["ce-new"] = "where known"
    now["fields"]["PromotionRef"]["praise"] = ["string", None]
    now["enums"]["FailureReason"]["values"]["FAILURE_REASON_ADDED_LATER"] = True

    assert list(guard.broken(RELEASED, now)) == []


def test_every_enum_of_an_event_is_open() -> None:
    enums = guard.promised()["enums"]

    assert enums
    assert all(enum["open"] for enum in enums.values())


def test_version_is_the_newest_of_the_changelog() -> None:
    documents = _module("documents")
    text = (PROTO / "asyncapi.yaml").read_text()

    assert f"version: {documents.version()}\n" in text
