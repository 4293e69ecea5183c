"""Spans as a collector sees them."""

import asyncio
from typing import Any, Never

import pytest
from opentelemetry.trace import StatusCode

from countersign.telemetry.tracing import carrier, record_client_span, span, trace_of

TOKEN = "ghp_" + "madeUp0" * 6


def test_spans_nest(spans: Any) -> None:
    with span("outer"), span("inner"):
        pass

    inner, outer = spans()
    assert inner.parent.span_id == outer.context.span_id


def test_trace_goes_on_by_headers(spans: Any) -> None:
    with span("first"):
        headers = carrier()
    with span("second", parent={**headers, "ce-id": "x"}):
        pass

    first, second = spans()
    assert second.context.trace_id == first.context.trace_id
    assert second.parent.span_id == first.context.span_id


def test_span_of_another_trace_links_the_current_one(spans: Any) -> None:
    """A consent belongs to the promotion's trace and is linked to the click that caused it."""
    with span("promotion"):
        promotion = carrier()
    with span("click"), span("approve", parent=promotion, links=[carrier()]):
        pass

    by_name = {found.name: found for found in spans()}
    approve, click = by_name["approve"], by_name["click"]
    assert approve.context.trace_id == by_name["promotion"].context.trace_id
    assert [link.context.span_id for link in approve.links] == [click.context.span_id]


def test_span_links_what_it_follows_from(spans: Any) -> None:
    with span("earlier"):
        earlier = carrier()
    with span("later", links=[earlier, {}, {"traceparent": "nonsense"}]):
        pass

    first, later = spans()
    assert later.context.trace_id != first.context.trace_id
    assert [link.context.span_id for link in later.links] == [first.context.span_id]


@pytest.mark.parametrize(
    "parent", [None, {}, {"traceparent": ""}, {"traceparent": "nonsense"}, {"other": "x"}]
)
def test_without_a_usable_parent_the_span_stands_somewhere(spans: Any, parent: Any) -> None:
    with span("alone", parent=parent):
        pass

    assert spans()[0].parent is None


def test_without_a_parent_the_current_span_is_it(spans: Any) -> None:
    with span("outer"), span("inner", parent={"ce-id": "x"}):
        pass

    inner, outer = spans()
    assert inner.parent.span_id == outer.context.span_id


def test_error_marks_its_span_and_goes_on(spans: Any) -> Never:
    with pytest.raises(KeyError), span("broken"):
        raise KeyError("k")

    (broken,) = spans()
    assert broken.status.status_code is StatusCode.ERROR
    assert broken.attributes["error.type"] == "KeyError"
    assert "exception.stacktrace" not in broken.events[0].attributes


async def test_cancellation_is_no_error(spans: Any) -> None:
    async def work() -> None:
        with span("work"):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert spans()[0].status.status_code is StatusCode.UNSET


def test_no_token_leaves_in_a_span(spans: Any) -> Never:
    def call() -> None:
        with span("call", attributes={"url": TOKEN}) as current:
            current.set_attribute("list", [TOKEN, "fine"])
            current.add_event("tried", {"header": f"Bearer {TOKEN}"})
            raise ValueError(f"bad header {TOKEN}")

    with pytest.raises(ValueError, match="bad"):
        call()

    (found,) = spans()
    assert TOKEN not in found.to_json()
    assert list(found.attributes["list"]) == ["[redacted]", "fine"]


def test_span_is_made_after_the_fact(spans: Any) -> None:
    """An executor measures itself and is gone when its parent tells."""
    with span("job"):
        record_client_span("commit", start_ns=1_000, end_ns=5_000, attributes={"n": 1})
        record_client_span("open", start_ns=5_000, end_ns=6_000, error="Rejected")

    commit, opened, job = spans()
    assert (commit.start_time, commit.end_time) == (1_000, 5_000)
    assert commit.parent.span_id == job.context.span_id
    assert opened.status.status_code is StatusCode.ERROR


def test_carrier_is_empty_outside_of_any_trace(spans: Any) -> None:
    assert carrier() == {}


def test_only_trace_headers_are_taken_from_others() -> None:
    headers = {"traceparent": "a", "tracestate": "", "ce-id": "x"}

    assert trace_of(headers) == {"traceparent": "a"}
