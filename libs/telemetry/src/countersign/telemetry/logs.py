"""One JSON object per line on standard error, with the trace it belongs to.

Libraries that log through `logging` end in the same lines. Events are named, not described:
`log.info("pull_request.opened", promotion_id=…)`.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, cast

import structlog
from opentelemetry import trace

from countersign.telemetry.redaction import redact_value
from countersign.telemetry.settings import LogLevel

# These print URLs with queries, or bodies, or a line for each change, below this level.
_TALKATIVE: Final = (
    "asyncio",
    "httpcore2",
    "httpx2",
    "kubernetes_asyncio",
    "nats",
    "urllib3",
    "uvicorn",
    "uvicorn.access",
    "watchfiles",
)

Logger = structlog.typing.FilteringBoundLogger
_Event = MutableMapping[str, Any]


def get_logger(name: str = "") -> Logger:
    """A logger; nothing happens before its first line."""
    logger = structlog.get_logger(logger=name) if name else structlog.get_logger()
    return cast("Logger", logger)


def configure_logs(*, service: str, level: LogLevel) -> None:
    lowest = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _Service(service),
        _add_trace,
        structlog.processors.format_exc_info,
        redact_event,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=_StandardError,
        cache_logger_on_first_use=False,
    )
    handler = _StandardErrorHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:-1],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shared[-1]],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(lowest)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(lowest, logging.WARNING))


def redact_event(_logger: Any, _method: str, event: _Event) -> _Event:
    for key, value in list(event.items()):
        if not key.startswith("_"):
            event[key] = redact_value(value, key=key)
    return event


class _StandardError:
    """Writes to what is standard error at that moment, not when logs were configured."""

    def __init__(self, *_names: Any) -> None:
        pass

    def msg(self, line: str) -> None:
        write_line(line)

    debug = info = warning = error = critical = exception = msg


class _StandardErrorHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        write_line(self.format(record))


def write_line(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _Service:
    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, _logger: Any, _method: str, event: _Event) -> _Event:
        event.setdefault("service", self._name)
        return event


def _add_trace(_logger: Any, _method: str, event: _Event) -> _Event:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event
