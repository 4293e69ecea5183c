"""Calls to forges, as spans and in numbers."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from countersign.telemetry.forge_calls import ForgeCall, record_forge_call
from countersign.telemetry.metrics import exposition
from countersign.telemetry.tracing import SpanKind


def call(*, host: str, status: int = 200) -> ForgeCall:
    return ForgeCall(
        name="look", method="POST", host=host, status=status, start_ns=0, end_ns=2_000_000_000
    )


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("forge.example", "forge.example", 443),
        ("forge.example:8443", "forge.example", 8443),
        ("[::1]:3000", "::1", 3000),
    ],
)
def test_call_is_a_client_span_with_host_and_port_apart(
    monkeypatch: pytest.MonkeyPatch, host: str, address: str, port: int
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    record_forge_call(call(host=host), span_name="read repository")

    (made,) = exporter.get_finished_spans()
    assert made.kind is SpanKind.CLIENT
    assert dict(made.attributes or {}) == {
        "http.request.method": "POST",
        "server.address": address,
        "server.port": port,
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "ok"), (304, "ok"), (404, "4xx"), (502, "5xx"), (0, "no_answer")]
)
def test_call_is_counted_by_its_end(status: int, outcome: str) -> None:
    record_forge_call(call(host="forge.example", status=status), span_name="read repository")

    counted = f'countersign_forge_call_seconds_count{{call="look",outcome="{outcome}"}}'
    assert counted in exposition().decode()
