"""Calls to forges, as spans and in numbers, whichever process made them."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from countersign.telemetry import attributes as names
from countersign.telemetry.metrics import histogram
from countersign.telemetry.tracing import record_client_span

FORGE_SECONDS: Final = histogram(
    "forge_call_seconds", "Calls to forges, by what they were for and its end.", ("call", "outcome")
)
_ERROR_STATUS: Final = 400
_HOST_CHARACTERS_MAX: Final = 255
_NANOSECONDS: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeCall:
    """One call that is over. `host` may have a port; `status` is 0 where no answer came."""

    name: str
    method: str
    host: str
    status: int
    start_ns: int
    end_ns: int

    @property
    def outcome(self) -> str:
        """A word for what came of it: `ok`, a class of status, or `no_answer`."""
        if self.status == 0:
            return "no_answer"
        return "ok" if self.status < _ERROR_STATUS else f"{self.status // 100}xx"


def record_forge_call(call: ForgeCall, *, span_name: str) -> None:
    """Make the client span of a call, below the current one, and count it."""
    failed = call.outcome != "ok"
    where = urlsplit(f"//{call.host[:_HOST_CHARACTERS_MAX]}")
    attributes: dict[str, str | int] = {
        names.HTTP_METHOD: call.method,
        names.SERVER_ADDRESS: where.hostname or "",
        names.HTTP_STATUS: call.status,
    }
    if port := _port(call.host):
        attributes[names.SERVER_PORT] = port
    record_client_span(
        span_name,
        start_ns=call.start_ns,
        end_ns=call.end_ns,
        attributes=attributes,
        error=str(call.status or "no_answer") if failed else None,
    )
    seconds = (call.end_ns - call.start_ns) / _NANOSECONDS
    FORGE_SECONDS.labels(call=call.name, outcome=call.outcome).observe(max(0.0, seconds))


def _port(host: str) -> int:
    text = host.rpartition(":")[2]
    return int(text) if ":" in host and text.isdecimal() and len(text) <= len("65535") else 443
