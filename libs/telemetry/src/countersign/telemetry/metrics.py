"""Metrics for Prometheus whose number of series is bounded.

A label is for words of ours (a message type, an outcome), never for identifiers. Should one slip
in, the series beyond the limit are counted together under `other`.
"""

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

SERIES_MAX: Final = 200
OTHER: Final = "other"
_PREFIX: Final = "countersign_"
# From half a millisecond, a publish, to half a minute, a slow forge.
SECONDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip

_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


class Bounded(Generic[_Metric]):
    """A metric with labels that refuses to grow without end."""

    def __init__(self, metric: _Metric, labels: Sequence[str]) -> None:
        self._metric = metric
        self._names = tuple(labels)
        self._known: dict[tuple[str, ...], _Metric] = {}

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


def counter(name: str, documentation: str, labels: Sequence[str] = ()) -> Bounded[Counter]:
    return Bounded(Counter(_exported(name), documentation, labels), labels)


def gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Bounded[Gauge]:
    return Bounded(Gauge(_exported(name), documentation, labels), labels)


def histogram(
    name: str,
    documentation: str,
    labels: Sequence[str] = (),
    *,
    buckets: Sequence[float] = SECONDS,
) -> Bounded[Histogram]:
    return Bounded(Histogram(_exported(name), documentation, labels, buckets=buckets), labels)


def _exported(name: str) -> str:
    if name.startswith(_PREFIX):
        raise ValueError(f"{name!r} gets its prefix here; declare it without")
    return _PREFIX + name


def exposition() -> bytes:
    """Everything measured, in Prometheus' text format."""
    return generate_latest(REGISTRY)
