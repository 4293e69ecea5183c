"""Calls to forges as spans."""

from countersign.dialects.exchange import Call
from countersign.telemetry.tracing import record_span


def record_call(call: Call) -> None:
    """Make the span of a call that is over, below the current one."""
    record_span(
        call.name,
        start_ns=call.start_ns,
        end_ns=call.end_ns,
        attributes={
            "http.request.method": call.method,
            "server.address": call.host,
            "http.response.status_code": call.status,
        },
        error=None if 0 < call.status < 400 else str(call.status or "no_answer"),  # noqa: PLR2004
    )
