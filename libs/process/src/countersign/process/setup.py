"""Telemetry of one process, from its start to its end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from countersign.process.faults.variables import unknown_variables
from countersign.process.health import Health
from countersign.telemetry.exporting import SpanExporter, install_tracer, version_of
from countersign.telemetry.logs import configure_logs, get_logger
from countersign.telemetry.metrics import gauge
from countersign.telemetry.settings import TelemetrySettings

__all__ = ["Telemetry", "TelemetrySettings", "telemetry"]

log = get_logger()

BUILD: Final = gauge("build_info", "1, with what is installed.", ("service", "version"))
_FLUSH_TIMEOUT_MS: Final = 2000


@dataclass(frozen=True, kw_only=True)
class Telemetry:
    service: str
    settings: TelemetrySettings
    health: Health = field(default_factory=Health)


@contextmanager
def telemetry(
    service: str, settings: TelemetrySettings, *, exporter: SpanExporter | None = None
) -> Iterator[Telemetry]:
    """Configure logs and traces; at the end, send what is left, for a short time.

    Args:
        service: its name in logs, spans and metrics.
        settings: levels and addresses.
        exporter: where spans go instead of the endpoint that `OTEL_*` names.

    """
    configure_logs(service=service, level=settings.log_level)
    BUILD.labels(service=service, version=version_of(service)).set(1)
    for variable in unknown_variables(os.environ):
        log.warning("settings.unknown", variable=variable.name, meant=variable.meant)
    provider = install_tracer(service=service, exporter=exporter)
    try:
        yield Telemetry(service=service, settings=settings)
    finally:
        provider.force_flush(_FLUSH_TIMEOUT_MS)
        provider.shutdown()
