"""Keeps the projection current: replays the streams, then follows them, and says how it goes."""

import asyncio
from datetime import datetime
from itertools import cycle
from typing import Final, Protocol

from countersign.contracts.messages import SessionEnded
from countersign.contracts.record.decisions import Heard
from countersign.gateway.access.sessions import Sessions
from countersign.gateway.interfaces import Clock, FeedStatus, Pause
from countersign.gateway.live.hub import Hub
from countersign.gateway.view.projection import STREAMS, Projection, Update
from countersign.messaging.bus import Received
from countersign.process.health import Health
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger

log = get_logger()

WATCH_INTERVAL_S: Final = 1.0
# Names of the checks by which `follow` says how each projection is.
_PROJECTION: Final = "projection-"


class Connection(Protocol):
    """The connection, as the feed asks about it."""

    @property
    def connected(self) -> bool: ...

    @property
    def silent(self) -> frozenset[str]: ...

    async def fullness(self, stream: str) -> float | None: ...


class BusFeed:
    """Owns how current the projection is."""

    def __init__(
        self,
        *,
        projection: Projection,
        hub: Hub,
        sessions: Sessions,
        clock: Clock,
        health: Health,
    ) -> None:
        self._projection = projection
        self._hub = hub
        self._sessions = sessions
        self._clock = clock
        self._health = health
        self._fullness = dict.fromkeys(STREAMS, 0.0)
        self._lost_at: datetime | None = None
        self._connection: Connection | None = None
        self.caught_up = asyncio.Event()

    @property
    def status(self) -> FeedStatus:
        return FeedStatus(
            caught_up=self.caught_up.is_set(),
            connected=self._connection is not None and self._connection.connected,
            lost_at=self._lost_at,
            behind=self._is_behind(),
            fullness=max(self._fullness.values()),
        )

    def _is_behind(self) -> bool:
        """Tell whether a projection has failed to keep up, after it once had."""
        reasons = self._health.not_ready()
        return self.caught_up.is_set() and any(n.startswith(_PROJECTION) for n in reasons)

    def not_ready(self) -> str | None:
        """Why the gateway should get no traffic."""
        return None if self.caught_up.is_set() else "the streams are still being read"

    def apply(self, received: Received) -> None:
        """Fold one event in, and tell the pages."""
        heard = Heard(
            sequence=received.sequence,
            recorded_at=received.recorded_at,
            traceparent=received.headers.get("traceparent", ""),
        )
        with one_entry("fold", stream=received.stream, sequence=received.sequence):
            if isinstance(received.message, SessionEnded):
                self._sign_out(received.message)
            change = self._projection.apply(received.message, stream=received.stream, heard=heard)
            if change is not None and self.caught_up.is_set():
                self._hub.changed(change)

    def _sign_out(self, ended: SessionEnded) -> None:
        for session_id in self._sessions.close_all(ended.person, before=ended.ended_at):
            self._hub.sign_out(session_id)

    def restarted(self, stream: str) -> None:
        """A stream was made anew: what is known by it is of the old one."""
        log.warning("feed.restarted", stream=stream)
        shown = tuple(self._projection.pipelines)
        self._projection.forget(stream)
        for key in shown:
            self._hub.changed(Update(pipeline=key))

    async def watch(self, connection: Connection, *, pause: Pause) -> None:
        """Notice that the bus is gone or back, and tell the pages."""
        self._connection = connection
        for stream in cycle(STREAMS):
            # Those that were silent first: the bus counts as away until each has answered again.
            for asked in (*connection.silent, stream):
                fullness = await connection.fullness(asked)
                if fullness is None:
                    break
                self._fullness[asked] = fullness
            if connection.connected:
                self._lost_at = None
            elif self._lost_at is None:
                self._lost_at = self._clock()
                log.warning("feed.lost")
            self._hub.show_status(self.status)
            await pause(WATCH_INTERVAL_S)
