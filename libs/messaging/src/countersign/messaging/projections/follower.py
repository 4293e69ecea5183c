"""Projections: everything a stream holds, then everything new, in order, without a consumer.

Replay by Direct Get; live by a core subscription to what the stream republishes. Each stream counts
without holes, so a hole between what was applied and what comes is seen and closed by Direct Get,
and a lost last message by asking now and then how far the stream is.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nats.aio.msg import Msg

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.subjects import EVENT_ROOT, STREAM_BY_NOUN
from countersign.messaging.bus import Bus
from countersign.messaging.direct_get import Reader, StreamState, reader, stream_state
from countersign.messaging.envelope import (
    SEQUENCE,
    STREAM,
    SUBJECT,
    Received,
    place_of_answer,
    read_event,
)
from countersign.messaging.meters import APPLIED, GAPS, POSITION
from countersign.process.processes import single_error
from countersign.telemetry.logs import get_logger

log = get_logger()

# What is dropped beyond it is read again from the stream.
LIVE_MESSAGES_MAX: Final = 4096
CHECK_INTERVAL_S: Final = 5.0
RETRY_S: Final = 1.0

Apply = Callable[[Received], Awaitable[None] | None]
Restarted = Callable[[str], None]


async def follow(
    bus: Bus,
    *,
    streams: Sequence[str],
    apply: Apply,
    caught_up: asyncio.Event | None = None,
    restarted: Restarted | None = None,
) -> None:
    """Apply every event of the streams, from the first, until cancelled.

    Of one stream in order and each once; of several in no order between them. What is malformed is
    counted and left out.

    Args:
        bus: of a service that may read the streams.
        streams: their names.
        apply: called with each event; what it raises, but `Rejected`, ends this.
        caught_up: set when all that the streams held at the start was applied.
        restarted: called with the name of a stream that was deleted and made anew, before its
            events are applied from the first again. What others told is not told again.

    """
    behind = set(streams)

    def on_caught_up(stream: str) -> None:
        behind.discard(stream)
        if not behind and caught_up is not None:
            caught_up.set()

    callbacks = _Callbacks(apply=apply, restarted=restarted, caught_up=on_caught_up)
    with single_error():
        async with asyncio.TaskGroup() as tasks:
            for stream in streams:
                tasks.create_task(_Follower(bus, stream=stream, callbacks=callbacks).run())


@dataclass(frozen=True, kw_only=True)
class _Callbacks:
    apply: Apply
    restarted: Restarted | None
    caught_up: Callable[[str], None]


class _Follower:
    def __init__(self, bus: Bus, *, stream: str, callbacks: _Callbacks) -> None:
        self._bus = bus
        self._stream = stream
        self._callbacks = callbacks
        self._live: deque[Msg] = deque(maxlen=LIVE_MESSAGES_MAX)
        self._wake = asyncio.Event()
        self._created: datetime | None = None
        self._applied = 0
        self._applied_at = datetime.fromtimestamp(0, tz=UTC)
        self._trouble: str | None = "replaying"

    async def run(self) -> None:
        check = f"projection-{self._stream.lower()}"
        self._bus.health.add(check, lambda: self._trouble)
        forget = self._bus.state.when_reconnected(self._wake.set)
        try:
            async with self._subscribed() as stream_reader:
                while True:
                    await self._once(stream_reader)
        finally:
            forget()
            self._bus.health.remove(check)

    async def _once(self, stream_reader: Reader) -> None:
        try:
            await self._catch_up(stream_reader)
            self._trouble = None
            self._callbacks.caught_up(self._stream)
            await self._apply_live(stream_reader)
        except Retryable as error:
            if self._trouble != error.message:
                log.warning("projection.behind", stream=self._stream, reason=error.reason)
            self._trouble = error.message
            await asyncio.sleep(RETRY_S)

    @asynccontextmanager
    async def _subscribed(self) -> AsyncIterator[Reader]:
        nouns = [noun for noun, stream in STREAM_BY_NOUN.items() if stream == self._stream]
        client = self._bus.client
        async with AsyncExitStack() as stack:
            for noun in nouns:
                live = await client.subscribe(f"{EVENT_ROOT}.{noun}.>", cb=self._on_live)
                stack.push_async_callback(_unsubscribe(self._bus, live.unsubscribe))
            await self._bus.flush()
            yield await stack.enter_async_context(reader(client, stream=self._stream))

    async def _on_live(self, message: Msg) -> None:
        self._live.append(message)
        self._wake.set()

    async def _catch_up(self, stream_reader: Reader) -> None:
        """Apply what the stream holds beyond what was applied."""
        state = await stream_state(self._bus.client, self._stream)
        self._recognise(state)
        while self._applied < state.last_sequence:
            batch = await stream_reader.batch(sequence=self._applied + 1)
            if not batch:
                # Nothing is left beyond: deleted, or replaced by a later message of its subject.
                self._applied = state.last_sequence
            for message in batch:
                await self._apply(message)
            # Others want to run as well while a large stream is read.
            await asyncio.sleep(0)

    def _recognise(self, state: StreamState) -> None:
        known, self._created = self._created, state.created
        if known is None or (known == state.created and self._applied <= state.last_sequence):
            return
        log.warning("projection.restarted", stream=self._stream, applied=self._applied)
        self._applied = 0
        self._applied_at = datetime.fromtimestamp(0, tz=UTC)
        self._live.clear()
        self._trouble = "replaying"
        if self._callbacks.restarted is not None:
            self._callbacks.restarted(self._stream)

    async def _apply_live(self, stream_reader: Reader) -> None:
        """Apply what comes, until nothing did for a while or the stream is another."""
        while True:
            while self._live:
                if not await self._apply_next(self._live.popleft(), stream_reader):
                    return
            self._wake.clear()
            try:
                async with asyncio.timeout(CHECK_INTERVAL_S):
                    await self._wake.wait()
            except TimeoutError:
                return
            if not self._live:
                # Woken by a reconnection: something may have been missed.
                return

    async def _apply_next(self, message: Msg, stream_reader: Reader) -> bool:
        """Apply one live message; False when the stream must be looked at."""
        headers = message.headers or {}
        if headers.get(STREAM) != self._stream or headers.get(SUBJECT) != message.subject:
            self._count("foreign")
            return True
        place = place_of_answer(headers)
        if place.sequence <= self._applied:
            # Replayed already; or, being newer than that, of another stream of this name.
            return place.recorded_at <= self._applied_at
        if place.sequence > self._applied + 1:
            GAPS.labels(stream=self._stream).inc()
            log.info("projection.gap", stream=self._stream, applied=self._applied)
            await self._close_gap(stream_reader, until=place.sequence)
        if place.sequence == self._applied + 1:
            await self._apply(message)
        return True

    async def _close_gap(self, stream_reader: Reader, *, until: int) -> None:
        while self._applied < until - 1:
            batch = await stream_reader.batch(sequence=self._applied + 1)
            before = [m for m in batch if int((m.headers or {})[SEQUENCE]) < until]
            for message in before:
                await self._apply(message)
            if len(before) < len(batch) or not batch:
                self._applied = until - 1

    async def _apply(self, message: Msg) -> None:
        headers = message.headers or {}
        place = place_of_answer(headers)
        try:
            received = read_event(
                subject=headers[SUBJECT], headers=headers, body=message.data, place=place
            )
            done = self._callbacks.apply(received)
            if done is not None:
                await done
            self._count("applied")
        except Rejected as error:
            self._count(error.reason)
            log.warning(
                "projection.left_out",
                stream=self._stream,
                sequence=place.sequence,
                reason=error.reason,
            )
        self._applied = place.sequence
        self._applied_at = place.recorded_at
        POSITION.labels(stream=self._stream).set(place.sequence)

    def _count(self, outcome: str) -> None:
        APPLIED.labels(stream=self._stream, outcome=outcome).inc()


def _unsubscribe(
    bus: Bus, unsubscribe: Callable[[], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    async def end() -> None:
        if not bus.client.is_closed:
            await unsubscribe()

    return end
