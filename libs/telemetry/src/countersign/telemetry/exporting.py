"""Spans on their way out: redacted, in batches, and never in anybody's way.

Exported by OTLP over HTTP only where the standard variables name an endpoint. A collector that is
down costs a bounded queue, and a few log lines when that begins and ends.
"""

import logging
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from opentelemetry.util.types import Attributes

from countersign.telemetry.logs import get_logger
from countersign.telemetry.redaction import redact, redact_value

__all__ = ["RedactingExporter", "SpanExporter", "install_tracer", "redact_span"]

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORT_TIMEOUT_S: Final = 3.0
# A few minutes of spans of a busy service; older ones are dropped when the collector is away.
QUEUE_SPANS_MAX: Final = 4096
_SCHEDULE_DELAY_MS: Final = 1000
# Where the exporter says why it failed, two lines for each batch.
_LIBRARY: Final = logging.getLogger(OTLPSpanExporter.__module__)

log = get_logger()


class RedactingExporter(SpanExporter):
    """Hands copies without tokens to the exporter it wraps, whose failures are logged once."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._failing = False
        _LIBRARY.addFilter(self._is_news)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export([redact_span(span) for span in spans])
        failed = result is not SpanExportResult.SUCCESS
        if self._failing and not failed:
            log.info("traces.taken_again")
        self._failing = failed
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()
        _LIBRARY.removeFilter(self._is_news)

    def _is_news(self, _record: logging.LogRecord) -> bool:
        return not self._failing

    def force_flush(self, timeout_millis: int = 1000) -> bool:
        return self._inner.force_flush(timeout_millis)


def redact_span(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=redact(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_redact(span.attributes),
        events=[
            Event(event.name, attributes=_redact(event.attributes), timestamp=event.timestamp)
            for event in span.events
        ],
        links=span.links,
        kind=span.kind,
        status=Status(
            span.status.status_code,
            redact(span.status.description) if span.status.description else None,
        ),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def install_tracer(*, service: str, exporter: SpanExporter | None = None) -> TracerProvider:
    """Make traces real; returns what must be shut down.

    Without an exporter they still run through headers and logs.
    """
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": service,
                "service.namespace": "countersign",
                "service.version": version_of(service),
            }
        ),
        shutdown_on_exit=False,
    )
    if exporter is None and any(os.environ.get(name) for name in _ENDPOINTS):
        exporter = OTLPSpanExporter(timeout=EXPORT_TIMEOUT_S)
    if exporter is not None:
        provider.add_span_processor(_batching(exporter))
    trace.set_tracer_provider(provider)
    return provider


def version_of(service: str) -> str:
    """The version of a service that is installed, or `unknown`."""
    try:
        return version(f"countersign-{service}")
    except PackageNotFoundError:
        return "unknown"


def _batching(exporter: SpanExporter) -> BatchSpanProcessor:
    return BatchSpanProcessor(
        RedactingExporter(exporter),
        max_queue_size=QUEUE_SPANS_MAX,
        schedule_delay_millis=_SCHEDULE_DELAY_MS,
        export_timeout_millis=int(EXPORT_TIMEOUT_S * 1000),
    )


def _redact(attributes: Attributes) -> Attributes:
    return {key: redact_value(value, key=key) for key, value in (attributes or {}).items()}
