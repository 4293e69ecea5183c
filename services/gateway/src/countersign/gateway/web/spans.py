"""Spans of requests, and of what people do to a promotion: those belong to its own trace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from countersign.gateway.timeline.timelines import Timeline
from countersign.telemetry.attributes import PROMOTION_ATTEMPT, PROMOTION_ID
from countersign.telemetry.tracing import SpanKind, carrier, span

# https://opentelemetry.io/docs/specs/semconv/http/http-spans/
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"


@contextmanager
def request_span(method: str, route: str) -> Iterator[Callable[[int], None]]:
    """One request, named by its route: paths hold names, and a callback's query holds a code.

    Yields what takes the status of the answer.
    """
    attributes = {HTTP_METHOD: method, HTTP_ROUTE: route}
    with span(f"{method} {route}", kind=SpanKind.SERVER, attributes=attributes) as made:
        yield lambda status: made.set_attribute(HTTP_STATUS, status)


@contextmanager
def asking(timeline: Timeline, name: str) -> Iterator[None]:
    """Continue the promotion's trace with what a person does, linked to the browser's request."""
    with span(name, parent=timeline.carrier, links=[carrier()]) as made:
        made.set_attribute(PROMOTION_ID, timeline.promotion_id)
        made.set_attribute(PROMOTION_ATTEMPT, timeline.promotion.attempt)
        yield
