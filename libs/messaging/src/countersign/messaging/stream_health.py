"""Streams that fill up or refuse, seen by those who publish to them.

A stream that is full refuses everybody. A server whose disk is full acknowledges nothing, and goes
on so after there is space again, until it is restarted (seen with 2.15). Only an event that is
stored shows that this is over.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from countersign.contracts.messages import EVENTS
from countersign.contracts.subjects import STREAM_BY_NOUN
from countersign.messaging.leader_reads import StreamState
from countersign.messaging.meters import STREAM_FILL, STREAM_REFUSALS, STREAM_SEQUENCE
from countersign.telemetry.logs import get_logger

log = get_logger()

# Time enough to make room: at the rate of a whole company's promotions it is months.
FILL_WARNS: Final = 0.8
FILL_STOPS: Final = 0.98
# Nothing is published to try; after that a refusal says nothing about now.
REFUSAL_COUNTS_S: Final = 120.0
# One is lost with each connection that breaks, or while servers choose another leader.
UNANSWERED_MAX: Final = 2
_UNANSWERED: Final = "it acknowledges nothing in time; the disk of its server may be full"


def published_by(service: str) -> frozenset[str]:
    """Return the streams that a service publishes to."""
    nouns = (info.name.partition(".")[0] for info in EVENTS.values() if service in info.publishers)
    return frozenset(STREAM_BY_NOUN[noun] for noun in nouns)


class StreamHealth:
    """The streams that one service publishes to."""

    def __init__(self, streams: frozenset[str], *, monotonic: Callable[[], float]) -> None:
        self._streams = streams
        self._monotonic = monotonic
        self._fill: dict[str, float] = {}
        self._refusals: dict[str, tuple[str, float]] = {}
        self._unanswered: Counter[str] = Counter()
        STREAM_REFUSALS.expect((stream,) for stream in streams)

    def looked_at(self, stream: str, state: StreamState) -> None:
        fill = state.bytes_stored / state.bytes_max if state.bytes_max > 0 else 0.0
        STREAM_FILL.labels(stream=stream).set(fill)
        STREAM_SEQUENCE.labels(stream=stream).set(state.last_sequence)
        if fill >= FILL_WARNS > self._fill.get(stream, 0.0):
            log.warning("stream.filling", stream=stream, fill=round(fill, 3))
        self._fill[stream] = fill

    def refused(self, stream: str, reason: str) -> None:
        STREAM_REFUSALS.labels(stream=stream).inc()
        self._refusals[stream] = (reason, self._monotonic())

    def unanswered(self, stream: str) -> None:
        """Take note of an event that was not acknowledged, while the bus was connected."""
        self._unanswered[stream] += 1
        if self._unanswered[stream] >= UNANSWERED_MAX:
            self.refused(stream, _UNANSWERED)

    def stored(self, stream: str) -> None:
        self._refusals.pop(stream, None)
        self._unanswered.pop(stream, None)

    def filling(self) -> dict[str, float]:
        """Return the streams that will be full before long, and how full they are, from 0 to 1."""
        return {stream: fill for stream, fill in self._fill.items() if fill >= FILL_WARNS}

    def reason(self) -> str | None:
        """Return the reason for which events cannot be published, or None."""
        now = self._monotonic()
        for stream, (reason, at) in self._refusals.items():
            if now - at < REFUSAL_COUNTS_S:
                return f"{stream} refuses events: {reason}"
        for stream in self._streams:
            if self._fill.get(stream, 0.0) >= FILL_STOPS:
                return f"{stream} is full; run countersign-topology retain, or raise its limit"
        return None
