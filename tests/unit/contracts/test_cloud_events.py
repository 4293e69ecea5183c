"""Names that other programs compare."""

import json
import re

import pytest
from reference import ROOT

from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS, PromotionRequested
from countersign.contracts.wire import cloud_events

EXAMPLES = ROOT / "proto/examples"


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.__name__)
def test_event_is_called_as_its_schema_of_headers_says(model: type[Message]) -> None:
    pattern = cloud_events.HEADERS["ce-type"]["pattern"]

    assert re.fullmatch(pattern, cloud_events.event_type(model))
    assert cloud_events.schema_id(model.__name__) == f"urn:countersign:schema:v1:{model.__name__}"


def test_types_of_events_are_distinct() -> None:
    assert len({cloud_events.event_type(model) for model in EVENTS}) == len(EVENTS)


def _requested(**names: str) -> PromotionRequested:
    body = json.loads((EXAMPLES / "PromotionRequested.json").read_text())
    body["promotion"]["environment"] = names["environment"]
    body["promotion"]["pipeline"]["name"] = names["pipeline"]
    return PromotionRequested.from_json(json.dumps(body))


def test_subject_is_a_path_to_the_thing() -> None:
    event = _requested(environment="prod", pipeline="pod.info")

    about = cloud_events.event_about(event)

    assert about == "promotions/shop/pod.info/prod/k3vq7c2mzp5x4a6d"


@pytest.mark.parametrize(
    "environment", ["a/b", "über alles", 'say "prod"', "50%", "new\r\nline"], ids=ascii
)
def test_subject_holds_nothing_that_a_header_must_escape(environment: str) -> None:
    about = cloud_events.event_about(_requested(environment=environment, pipeline="x"))

    assert about.count("/") == 4
    assert re.fullmatch(r"[a-zA-Z0-9=./-]+", about)


def test_source_is_the_installation_whoever_publishes() -> None:
    assert cloud_events.event_source("https://board.example/") == "https://board.example"
    assert cloud_events.event_source("") == "/countersign"
