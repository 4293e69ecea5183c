"""Metrics of the bus, labelled with message types, methods and outcomes only."""

from typing import Final

from countersign.telemetry.metrics import counter, gauge, histogram

HANDLED: Final = counter(
    "messages_handled_total", "Messages of durables, by what became of them.", ("type", "outcome")
)
HANDLING_SECONDS: Final = histogram(
    "message_handling_seconds", "From delivery to settlement.", ("type",)
)
APPLIED: Final = counter(
    "messages_applied_total", "Messages applied to a projection.", ("stream", "outcome")
)
PUBLISHED_SECONDS: Final = histogram(
    "publish_seconds", "From publishing to the stream's acknowledgement.", ("type", "outcome")
)
REQUEST_SECONDS: Final = histogram(
    "rpc_seconds", "From a request to its response, at the caller.", ("method", "outcome")
)
ANSWERED: Final = counter(
    "rpc_answered_total",
    "Requests, by what became of them at the responder.",
    ("method", "outcome"),
)
DEAD_LETTERS: Final = counter("dead_letters_total", "Messages given up.", ("durable", "reason"))
RECONNECTS: Final = counter("bus_reconnects_total", "Connections to the bus made again.")
VIOLATIONS: Final = counter(
    "bus_violations_total",
    "What the server refused us for lack of permission.",
    ("operation",),
    known=[("publish",), ("subscription",)],
)
GAPS: Final = counter("projection_gaps_total", "Gaps seen and closed.", ("stream",))
LAGS: Final = counter(
    "projection_lags_total", "Reads of a node that was behind its stream.", ("stream",)
)
POSITION: Final = gauge("projection_sequence", "Last sequence applied.", ("stream",))
IN_FLIGHT: Final = gauge("work_in_flight", "Messages being handled.", ("durable",))
STREAM_FILL: Final = gauge(
    "stream_fill_ratio", "Bytes of a stream against its limit, from 0 to 1.", ("stream",)
)
STREAM_SEQUENCE: Final = gauge(
    "stream_sequence", "Last sequence of a stream, as last asked for.", ("stream",)
)
STREAM_REFUSALS: Final = counter(
    "stream_refusals_total", "Events that a stream did not take.", ("stream",)
)
