"""Work on many things, of which none may end the work on the others."""

from collections.abc import Iterator
from contextlib import contextmanager

from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter

log = get_logger()

_BUGS = counter("isolated_bugs_total", "Things that could not be worked on.", ["work"])


@contextmanager
def isolated(work: str, **ids: str | int) -> Iterator[None]:
    """Run a block on one of many things; a bug in it is logged and counted, and goes no further.

    Args:
        work: what is done, for the log and the metric.
        **ids: of the thing; never what it holds.

    """
    bugs = _BUGS.labels(work=work)
    try:
        yield
    except Exception:
        bugs.inc()
        log.exception("isolated.bug", work=work, **ids)
