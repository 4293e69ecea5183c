"""Spans as they arrive at a collector, over real HTTP."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider

from countersign.telemetry.exporting import install_tracer
from countersign.telemetry.tracing import span

TOKEN = "ghp_" + "madeUp0" * 6


class Collector(ThreadingHTTPServer):
    """Keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        packed = self.headers.get("Content-Encoding") == "gzip"
        self.server.bodies.append(gzip.decompress(body) if packed else body)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def provider(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[TracerProvider]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _provider: None)
    made = install_tracer(service="pr-writer")
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made)
    yield made
    made.shutdown()


def test_spans_arrive_named_and_redacted(collector: Collector, provider: TracerProvider) -> None:
    with span("commit", attributes={"url.full": f"https://x/?access_token={TOKEN}"}):
        pass
    provider.force_flush(5000)

    (body,) = collector.bodies
    assert TOKEN.encode() not in body
    (sent,) = ExportTraceServiceRequest.FromString(body).resource_spans
    resource = {a.key: a.value.string_value for a in sent.resource.attributes}
    assert resource["service.name"] == "pr-writer"
    assert resource["service.namespace"] == "countersign"
    (found,) = sent.scope_spans[0].spans
    assert found.name == "commit"
    assert "redacted" in found.attributes[0].value.string_value


def test_collector_that_is_away_is_told_once_and_so_is_its_return(
    collector: Collector, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    def send() -> None:
        with span("commit"):
            pass
        provider.force_flush(5000)

    with structlog.testing.capture_logs() as ours:
        for status in (400, 400, 400, 200, 200, 400):
            collector.status = status
            send()

    assert len(collector.bodies) == 6
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert [line["event"] for line in ours] == ["traces.taken_again"]
