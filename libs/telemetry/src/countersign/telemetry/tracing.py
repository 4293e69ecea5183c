"""Spans, and how a trace travels in headers (W3C Trace Context).

Needs no SDK: without `telemetry()` every span is a no-op. A wait for a human is never an open
span: the later span names the earlier one as its parent or links to it.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from countersign.telemetry.attributes import ERROR_TYPE
from countersign.telemetry.redaction import redact

__all__ = [
    "SpanKind",
    "carrier",
    "current_ids",
    "fail",
    "record_client_span",
    "span",
    "trace_of",
]

Attributes = Mapping[str, AttributeValue]

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_TRACER_NAME: Final = "countersign"
_TRACE_HEADERS: Final = ("traceparent", "tracestate")


@contextmanager
def span(
    name: str,
    *,
    parent: Mapping[str, str] | None = None,
    links: Iterable[Mapping[str, str]] = (),
    attributes: Attributes | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """Run a block in a span.

    Args:
        name: one of `attributes.SPAN_…`, without identifiers.
        parent: headers that carry the trace to belong to; without a `traceparent` in them, and by
            default, the current span.
        links: headers of spans that this one follows from; `carrier()` for the current one, where
            `parent` leads to another trace.
        attributes: identifiers, by the names in `attributes`.
        kind: how the span meets other processes.

    """
    context = _context(parent)
    linked = [trace.get_current_span(other) for other in map(_context, links) if other]
    tracer = trace.get_tracer(_TRACER_NAME)
    made = tracer.start_span(
        name,
        context=context,
        kind=kind,
        attributes=attributes,
        links=[
            Link(other.get_span_context()) for other in linked if other.get_span_context().is_valid
        ],
    )
    with trace.use_span(
        made, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield made
        except asyncio.CancelledError:
            made.set_attribute(ERROR_TYPE, "cancelled")
            raise
        except BaseException as error:
            fail(made, error)
            raise


def fail(failed: Span, error: BaseException) -> None:
    """Mark a span as failed, with what the error says of itself, redacted, and no stack."""
    text = redact(str(error))
    failed.set_attribute(ERROR_TYPE, type(error).__name__)
    failed.add_event(
        "exception", {"exception.type": type(error).__name__, "exception.message": text}
    )
    failed.set_status(Status(StatusCode.ERROR, text))


def record_client_span(
    name: str,
    *,
    start_ns: int,
    end_ns: int,
    attributes: Attributes | None = None,
    error: str | None = None,
) -> None:
    """Make the span of a call after the fact, below the current one: it was measured elsewhere.

    Args:
        name: one of `attributes.SPAN_…`.
        start_ns: start, nanoseconds since 1970.
        end_ns: end, nanoseconds since 1970.
        attributes: identifiers.
        error: type of the error it ended with.

    """
    made = trace.get_tracer(_TRACER_NAME).start_span(
        name, start_time=start_ns, attributes=attributes, kind=SpanKind.CLIENT
    )
    if error is not None:
        made.set_attribute(ERROR_TYPE, error)
        made.set_status(Status(StatusCode.ERROR, redact(error)))
    made.end(end_time=end_ns)


def carrier() -> dict[str, str]:
    """Headers that carry the current trace on; empty outside of any."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return headers


def current_ids() -> dict[str, str] | None:
    """Return the ids of the current span as an exemplar has them, if its trace is kept."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid or not context.trace_flags.sampled:
        return None
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def trace_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the trace headers, and no others."""
    return {name: headers[name] for name in _TRACE_HEADERS if headers.get(name)}


def _context(parent: Mapping[str, str] | None) -> contexts.Context | None:
    if not parent or not parent.get("traceparent"):
        return None
    return _PROPAGATOR.extract(dict(trace_of(parent)), context=contexts.Context())
