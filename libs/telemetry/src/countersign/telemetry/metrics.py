"""Metrics for Prometheus whose number of series is bounded.

A label is for words of ours (a message type, an outcome), never for identifiers. Should one slip
in, the series beyond the limit are counted together under `other`. What is counted inside of a
trace that is kept has it as its exemplar, which readers of OpenMetrics get.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.openmetrics import exposition as openmetrics

from countersign.telemetry.tracing import current_ids

SERIES_MAX: Final = 200
OTHER: Final = "other"
_PREFIX: Final = "countersign_"
# From half a millisecond, a publish, to half a minute, a slow forge.
SECONDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip

# How many of something one job or request took.
COUNTS: Final = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0)
# What people and clusters take: from a minute to four weeks.
WAITS_S: Final = (
    60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 86400.0, 3 * 86400.0, 7 * 86400.0,
    28 * 86400.0,
)  # fmt: skip

_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


class Bounded(Generic[_Metric]):
    """A metric with labels that refuses to grow without end."""

    def __init__(
        self, metric: _Metric, labels: Sequence[str], known: Iterable[tuple[str, ...]] = ()
    ) -> None:
        self._metric = metric
        self._names = tuple(labels)
        self._known: dict[tuple[str, ...], _Metric] = {}
        self.expect(known)

    def expect(self, known: Iterable[tuple[str, ...]]) -> None:
        """Show these values of its labels from now on: a rate needs the 0 before the first."""
        for values in known:
            self.labels(**dict(zip(self._names, values, strict=True)))

    def clear(self) -> None:
        """Forget all series, before what is true now is set."""
        self._known.clear()
        self._metric.clear()

    def labels(self, **values: str) -> _Metric:
        if not self._names:
            return self._metric
        key = tuple(values[name] for name in self._names)
        child = self._known.get(key)
        if child is None:
            if len(self._known) >= SERIES_MAX:
                key = (OTHER,) * len(self._names)
            child = self._known[key] = self._metric.labels(*key)
        return child


class _TracedCounter(Counter):
    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        super().inc(amount, exemplar or current_ids())


class _TracedHistogram(Histogram):
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        super().observe(amount, exemplar or current_ids())


def counter(
    name: str,
    documentation: str,
    labels: Sequence[str] = (),
    *,
    known: Iterable[tuple[str, ...]] = (),
) -> Bounded[Counter]:
    """Declare a counter. `known`: values of its labels that are there from the start, with 0."""
    return Bounded(_TracedCounter(_exported(name), documentation, labels), labels, known)


def gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Bounded[Gauge]:
    return Bounded(Gauge(_exported(name), documentation, labels), labels)


def histogram(
    name: str,
    documentation: str,
    labels: Sequence[str] = (),
    *,
    buckets: Sequence[float] = SECONDS,
) -> Bounded[Histogram]:
    made = _TracedHistogram(_exported(name), documentation, labels, buckets=buckets)
    return Bounded(made, labels)


def _exported(name: str) -> str:
    if name.startswith(_PREFIX):
        raise ValueError(f"{name!r} gets its prefix here; declare it without")
    return _PREFIX + name


_looks: list[Callable[[], None]] = []


@contextmanager
def at_scrape(look: Callable[[], None]) -> Iterator[None]:
    """Have a gauge set when somebody looks, and not before, as long as its service runs."""
    _looks.append(look)
    try:
        yield
    finally:
        _looks.remove(look)


def exposition(*, with_exemplars: bool = False) -> bytes:
    """Everything measured: in Prometheus' text format, with exemplars in that of OpenMetrics."""
    for look in _looks:
        look()
    if with_exemplars:
        told: bytes = openmetrics.generate_latest(REGISTRY)  # type: ignore[no-untyped-call]
        return told
    return generate_latest(REGISTRY)
