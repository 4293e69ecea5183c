"""Calls to forges, recorded by the process that makes them."""

from countersign.dialects.exchange import Call
from countersign.telemetry.forge_calls import ForgeCall, record_forge_call


def record_call(call: Call) -> None:
    """Make the span of a call that is over, below the current one."""
    told = ForgeCall(
        name=call.name,
        method=call.method,
        host=call.host,
        status=call.status,
        start_ns=call.start_ns,
        end_ns=call.end_ns,
    )
    record_forge_call(told, span_name=call.name)
