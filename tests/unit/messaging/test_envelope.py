"""Messages on the wire."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import PipelineDeleted, PipelineRef
from countersign.messaging.envelope import (
    STEERED,
    Place,
    event_headers,
    parse_time,
    place_of_answer,
    place_of_delivery,
    read_event,
)

AT = datetime(2026, 11, 23, 7, 0, 0, 123456, tzinfo=UTC)
EVENT = PipelineDeleted(pipeline=PipelineRef(namespace="apps", name="pod.info", uid="u"))
BODY = EVENT.to_json()
SUBJECT = "countersign.v1.pipeline.deleted.apps.pod_info"
PLACE = Place(stream="PIPELINES", sequence=3, recorded_at=AT)


def read(*, subject: Any = SUBJECT, headers: Any = None, body: Any = BODY) -> Any:
    return read_event(subject=subject, headers=headers or {}, body=body, place=PLACE)


def test_headers_are_cloudevents_in_binary_mode() -> None:
    headers = event_headers(
        EVENT,
        source="https://board.example",
        message_id="m1",
        at=AT,
        trace={"traceparent": "00-a-b-01"},
    )

    assert headers == {
        "ce-specversion": "1.0",
        "ce-id": "m1",
        "ce-source": "https://board.example",
        "ce-type": "dev.countersign.pipeline.deleted.v1",
        "ce-subject": "pipelines/apps/pod.info",
        "ce-time": "2026-11-23T07:00:00.123Z",
        "ce-datacontenttype": "application/json",
        "ce-dataschema": "urn:countersign:schema:v1:PipelineDeleted",
        "ce-traceparent": "00-a-b-01",
        "content-type": "application/json",
        "Nats-Msg-Id": "m1",
        "traceparent": "00-a-b-01",
    }


def test_event_is_read_with_its_place_and_trace() -> None:
    headers = {"ce-id": "m1", "traceparent": "00-a-b-01", "other": "x"}

    received = read(headers=headers)

    assert received.message == EVENT
    assert (received.stream, received.sequence, received.deliveries) == ("PIPELINES", 3, 1)
    assert received.message_id == "m1"
    assert received.trace == {"traceparent": "00-a-b-01"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"subject": "countersign.v1.pipeline.sold.apps.x"}, "malformed"),
        ({"subject": "countersign.v1"}, "malformed"),
        ({"subject": "countersign.v1.pipeline.deleted.apps.other"}, "malformed"),
        ({"subject": SUBJECT.replace("countersign.v1", "countersign-in.v1")}, "malformed"),
        ({"body": b"{"}, "malformed"),
        ({"headers": {STEERED: "1"}}, "steered"),
    ],
    ids=["no-such-event", "no-event", "of-another", "of-the-intake", "truncated", "steered"],
)
def test_what_is_no_event_of_its_subject_is_rejected(given: Any, reason: Any) -> None:
    with pytest.raises(Rejected) as refused:
        read(**given)

    assert refused.value.reason == reason


def test_rejection_does_not_repeat_what_was_sent() -> None:
    body = json.dumps({"pipeline": {"namespace": "made-up-token"}}).encode()

    with pytest.raises(Rejected) as refused:
        read(body=body)

    assert "made-up-token" not in str(refused.value)


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.PROMOTIONS.jobs.2.7.9.1795417200123456789.4",
        "$JS.ACK._.hash.PROMOTIONS.jobs.2.7.9.1795417200123456789.4",
        "$JS.ACK.hub.hash.PROMOTIONS.jobs.2.7.9.1795417200123456789.4.random",
    ],
    ids=["v1", "v2", "v2-with-token"],
)
def test_place_is_read_from_where_the_acknowledgement_goes(reply: Any) -> None:
    place = place_of_delivery(reply)

    assert (place.stream, place.sequence, place.deliveries) == ("PROMOTIONS", 7, 2)
    assert place.recorded_at == AT


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000_000))
def test_message_has_the_same_time_however_it_comes(nanoseconds: int) -> None:
    delivered = place_of_delivery(f"$JS.ACK.PROMOTIONS.jobs.1.7.9.{nanoseconds}.4")
    seconds = datetime.fromtimestamp(nanoseconds // 10**9, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")

    assert delivered.recorded_at == parse_time(f"{seconds}.{nanoseconds % 10**9:09d}Z")


@pytest.mark.parametrize("reply", ["", "_INBOX_x.1", "$JS.ACK.a.b", "a.b.c.d.e.f.g.h.i"])
def test_other_replies_are_no_place(reply: Any) -> None:
    with pytest.raises(ValueError, match="consumer"):
        place_of_delivery(reply)


def test_place_is_read_from_headers() -> None:
    headers = {
        "Nats-Stream": "PROMOTIONS",
        "Nats-Sequence": "12",
        "Nats-Time-Stamp": "2026-11-23T07:00:00.123456789Z",
    }

    assert place_of_answer(headers) == Place(stream="PROMOTIONS", sequence=12, recorded_at=AT)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-11-23T07:00:00Z", 0),
        ("2026-11-23T07:00:00.1Z", 100_000),
        ("2026-11-23T07:00:00.123456789Z", 123_456),
    ],
)
def test_times_of_the_server_are_read(text: Any, microsecond: Any) -> None:
    assert parse_time(text) == AT.replace(microsecond=microsecond)
