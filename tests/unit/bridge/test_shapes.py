"""Bodies and headers that destinations expect."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from doubles.extremes import can_arrive, events
from hypothesis import given as fed_with
from hypothesis import settings
from reference import ROOT

from countersign.bridge.delivery import SHAPES
from countersign.bridge.model import Event, Shape
from countersign.bridge.shapes.cdevents import cdevent
from countersign.bridge.shapes.cloud_events import binary, structured
from countersign.bridge.shapes.slack import slack
from countersign.contracts import messages
from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS, PromotionRequested
from countersign.messaging.envelope import event_headers

EXAMPLES = ROOT / "proto/examples"
EVERY_EVENT = pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.__name__)


def event(model: type[Message], **changed: Any) -> Event:
    body = json.loads((EXAMPLES / f"{model.__name__}.json").read_text()) | changed
    message = model.from_json(json.dumps(body))
    headers = event_headers(
        message,
        source="https://board.example",
        message_id="m1",
        at=datetime(2026, 11, 30, tzinfo=UTC),
        trace={"traceparent": "00-a-b-01"},
    )
    attributes = {k.removeprefix("ce-"): v for k, v in headers.items() if k.startswith("ce-")}
    return Event(message=message, attributes=attributes, body=message.to_json())


@EVERY_EVENT
def test_binary_mode_has_attributes_as_headers_and_the_body_as_it_came(
    model: type[Message],
) -> None:
    given = event(model)

    parcel = binary(given)

    assert parcel.body == given.body
    assert parcel.headers["content-type"] == "application/json"
    assert parcel.headers["ce-type"] == given.attributes["type"]
    assert "ce-datacontenttype" not in parcel.headers


@EVERY_EVENT
def test_structured_mode_has_everything_in_one_object(model: type[Message]) -> None:
    given = event(model)

    body = json.loads(structured(given).body)

    assert body.pop("data") == json.loads(given.body)
    assert body == given.attributes


CDEVENTS: dict[type[Message], tuple[str, set[str]]] = {
    messages.PromotionRequested: (
        "approval.created.0.1.0",
        {"approvalDetailsUrl", "resourceTargetUrl", "requestor"},
    ),
    messages.ApprovalGranted: (
        "approval.closed.0.1.0",
        {"approvalDetailsUrl", "resourceTargetUrl", "responder", "decision", "status"},
    ),
    messages.ApprovalRejected: (
        "approval.closed.0.1.0",
        {"approvalDetailsUrl", "resourceTargetUrl", "responder", "decision", "status"},
    ),
    messages.ApprovalExpired: (
        "approval.closed.0.1.0",
        {"approvalDetailsUrl", "resourceTargetUrl", "responder", "decision", "status"},
    ),
    messages.PullRequestOpened: ("change.created.0.4.0", {"repository", "description"}),
    messages.PullRequestMerged: ("change.merged.0.3.0", {"repository"}),
    messages.PullRequestClosed: ("change.abandoned.0.3.0", {"repository"}),
    messages.PromotionCompleted: ("service.deployed.0.3.0", {"environment", "artifactId"}),
    messages.PromotionUndone: ("service.rolledback.0.3.0", {"environment", "artifactId"}),
}


@pytest.mark.parametrize("model", CDEVENTS, ids=lambda model: model.__name__)
def test_cdevent_has_exactly_the_fields_of_its_type(model: type[Message]) -> None:
    kind, fields = CDEVENTS[model]

    parcel = cdevent(event(model))

    assert parcel is not None
    envelope = json.loads(parcel.body)
    context, subject = envelope["data"]["context"], envelope["data"]["subject"]
    assert envelope["type"] == context["type"] == f"dev.cdevents.{kind}"
    assert context["specversion"] == "0.5.0"
    assert set(subject) == {"id", "source", "content"}
    assert set(subject["content"]) == fields
    assert all(subject["content"].values())


def test_cdevents_of_one_promotion_are_one_chain_that_leads_to_its_request() -> None:
    made = {}
    for model in CDEVENTS:
        given = event(model)
        attributes = {**given.attributes, "id": model.__name__}
        parcel = cdevent(Event(message=given.message, attributes=attributes, body=given.body))
        assert parcel is not None
        made[model] = json.loads(parcel.body)["data"]["context"]

    first = made.pop(messages.PromotionRequested)
    assert {context["chainId"] for context in made.values()} == {first["chainId"]}
    assert all(
        context["links"][0]["target"]["contextId"] == first["id"] for context in made.values()
    )


def test_same_event_has_the_same_cdevents_id_whenever_it_is_sent() -> None:
    first, second = (
        cdevent(event(messages.PromotionUndone)),
        cdevent(event(messages.PromotionUndone)),
    )

    assert first == second


@pytest.mark.parametrize(
    ("model", "decision", "status"),
    [
        (messages.ApprovalGranted, "approved", "approved"),
        (messages.ApprovalRejected, "rejected", "rejected"),
        (messages.ApprovalExpired, "deferred", "expired"),
    ],
)
def test_approval_is_closed_with_words_that_the_specification_has(
    model: type[Message], decision: str, status: str
) -> None:
    parcel = cdevent(event(model))

    assert parcel is not None
    content = json.loads(parcel.body)["data"]["subject"]["content"]
    assert (content["decision"], content["status"]) == (decision, status)


def test_service_is_deployed_as_a_package() -> None:
    parcel = cdevent(event(messages.PromotionCompleted))

    assert parcel is not None
    content = json.loads(parcel.body)["data"]["subject"]["content"]
    assert content == {"environment": {"id": "prod"}, "artifactId": "pkg:helm/podinfo@6.9.0"}


def test_chat_is_told_what_waits_with_a_link_to_the_board() -> None:
    parcel = slack(event(messages.PromotionRequested))

    assert parcel is not None
    text = json.loads(parcel.body)["text"]
    assert "6.9.0 waits for prod" in text
    assert text.endswith("<https://board.example/p/shop/checkout/prod|Promote>")


def test_chat_is_told_of_a_failure_without_links_or_mentions_of_strangers() -> None:
    given = event(messages.PullRequestFailed, message="no <!channel> & <http://evil|here>\nnow")

    parcel = slack(given)

    assert parcel is not None
    text = json.loads(parcel.body)["text"]
    assert "&lt;!channel&gt; &amp; &lt;http://evil|here&gt; now" in text
    assert "<!" not in text


@EVERY_EVENT
@pytest.mark.parametrize("shape", [Shape.CDEVENTS, Shape.SLACK])
def test_shape_takes_every_event_or_has_no_word_for_it(model: type[Message], shape: Shape) -> None:
    make: Callable[[Event], Any] = SHAPES[shape]

    parcel = make(event(model))

    assert parcel is None or json.loads(parcel.body)


def test_every_shape_is_there() -> None:
    assert set(SHAPES) == set(Shape)


@settings(max_examples=100, deadline=None)
@fed_with(message=events().filter(can_arrive))
def test_no_event_is_beyond_any_shape(message: Message) -> None:
    given = replace(event(PromotionRequested), message=message)

    for shape in SHAPES.values():
        shape(given)
