"""The recorded walk is what it says: whole, valid, and every promotion arrives."""

import json
from collections import defaultdict
from typing import Any

import pytest
from reference import ROOT

from countersign.contracts.life import advance
from countersign.contracts.messages import EVENTS, PromotionRequested
from countersign.contracts.promotion import Promotion, State
from countersign.contracts.wire import cloud_events
from countersign.messaging.envelope import Received, place_of_answer, read_event

WALK = ROOT / "proto/recordings/walk.ndjson"


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in WALK.read_text().splitlines()]


def received(line: dict[str, Any]) -> Received:
    return read_event(
        subject=line["subject"],
        headers=line["headers"],
        body=json.dumps(line["body"]).encode(),
        place=place_of_answer(line["headers"]),
    )


def test_streams_are_recorded_without_a_hole(lines: list[dict[str, Any]]) -> None:
    found: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        found[line["headers"]["Nats-Stream"]].append(int(line["headers"]["Nats-Sequence"]))

    assert set(found) == {"PROMOTIONS", "PIPELINES", "TOKENS"}
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in found.values())


def test_headers_are_those_of_the_contract(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        event = received(line).message
        headers = line["headers"]
        assert set(cloud_events.REQUIRED_HEADERS) <= set(headers) <= set(cloud_events.HEADERS)
        assert headers["ce-type"] == cloud_events.event_type(type(event))
        assert headers["ce-subject"] == cloud_events.event_about(event)


def test_ids_are_distinct(lines: list[dict[str, Any]]) -> None:
    assert len({line["headers"]["ce-id"] for line in lines}) == len(lines)


def test_promotions_arrive(lines: list[dict[str, Any]]) -> None:
    known: dict[str, Promotion | None] = {}
    for event in (received(line).message for line in lines):
        ref = getattr(event, "promotion", None)
        if ref is not None and EVENTS[type(event)].name.partition(".")[0] != "token":
            known[ref.promotion_id] = advance(known.get(ref.promotion_id), event)

    assert {p.state for p in known.values() if p} == {State.COMPLETED}
    assert len(known) == sum(isinstance(received(x).message, PromotionRequested) for x in lines)


def test_pull_requests_stand_alone(lines: list[dict[str, Any]]) -> None:
    """Without any other event: what, where, by whom, how, and where to look."""
    told = [x["body"] for x in lines if "pull-request.opened" in x["headers"]["ce-type"]]

    assert told
    for body in told:
        assert body["promotion"]["url"].startswith("http")
        assert body["promotion"]["revision"]["recorded"]
        assert body["promotion"]["purl"].startswith("pkg:")
        assert body["pullRequest"]["url"].startswith("http")
        assert body["author"]["login"]
        assert body["mode"] != "CREDENTIAL_MODE_UNSPECIFIED"
