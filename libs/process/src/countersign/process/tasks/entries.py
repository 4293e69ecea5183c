"""Loops over many entries, of which a bad one must not end the loop over all."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from countersign.contracts.errors import Rejected, Retryable
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter

log = get_logger()

_FAILED = counter("entries_failed_total", "Entries that could not be dealt with.", ("work",))


@dataclass(slots=True)
class Entry:
    """The outcome of work for one entry, for whoever goes on after it."""

    failed: bool = False


@contextmanager
def one_entry(work: str, **names: str | int) -> Iterator[Entry]:
    """Do work for one entry; what is refused, or a bug, is told and ends nothing else.

    Args:
        work: what is done, in the log and the metric.
        names: ids of the entry, for the log; never what it holds.

    Raises:
        Retryable: the outside is away, for all entries alike.

    """
    failures, entry = _FAILED.labels(work=work), Entry()
    try:
        yield entry
    except Retryable:
        raise
    except Rejected as error:
        entry.failed = True
        failures.inc()
        log.warning("entry.refused", work=work, reason=error.reason, **names)
    except Exception:  # a bug, or a value that nobody thought of: the other entries go on
        entry.failed = True
        failures.inc()
        log.exception("entry.failed", work=work, **names)
