"""Projections: everything a stream holds, then everything new, in order, without a consumer.

Replay by Direct Get; live by a core subscription to what the stream republishes. Each stream counts
without holes, so a hole between what was applied and what comes is seen and closed by Direct Get,
and a lost last message by asking now and then how far the stream is.

Direct Get is answered by a node that may be behind. How far a stream goes, and that nothing is left
in between, only its leader says.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from nats.aio.msg import Msg

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.subjects import EVENT_ROOT, STREAM_BY_NOUN
from countersign.messaging.bus import Bus
from countersign.messaging.direct_get import Reader, reader
from countersign.messaging.envelope import (
    SEQUENCE,
    STREAM,
    SUBJECT,
    Received,
    place_of_answer,
    read_event,
)
from countersign.messaging.leader_reads import next_sequence, stream_state
from countersign.messaging.meters import APPLIED, GAPS, LAGS, POSITION
from countersign.messaging.projections.landmarks import Landmarks
from countersign.messaging.refusals import BusRefusal
from countersign.process.processes import single_error
from countersign.process.tasks.background import background
from countersign.telemetry.logs import get_logger

log = get_logger()

# What is dropped beyond it is read again from the stream.
LIVE_MESSAGES_MAX: Final = 4096
_APPLIED: Final = "applied"

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
            events are applied from the first again; also of one that was restored from an older
            copy. What others told is not told again.

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
                follower = _Follower(bus, stream=stream, callbacks=callbacks)
                name = f"projection-{stream.lower()}"
                tasks.create_task(follower.run(), name=name)


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
        self._applied = 0
        self._landmarks = Landmarks(bus.client, stream=stream)
        self._trouble: str | None = "replaying"
        APPLIED.expect([(stream, _APPLIED)])
        GAPS.expect([(stream,)])
        LAGS.expect([(stream,)])

    async def run(self) -> None:
        forget = self._bus.state.when_reconnected(self._wake.set)
        check = f"projection-{self._stream.lower()}"
        try:
            with background(check, health=self._bus.health, ready=lambda: self._trouble):
                async with self._subscribed() as stream_reader:
                    while True:
                        await self._once(stream_reader)
        finally:
            forget()

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
            await self._woken(within_s=self._bus.pace.retry_s)

    async def _woken(self, *, within_s: float) -> bool:
        """Wait for a message or a reconnection, and tell whether one came in time."""
        self._wake.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

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
        """Apply what the stream holds beyond what was applied.

        Raises:
            Retryable: what is there could not be read yet.

        """
        state = await stream_state(self._bus.client, self._stream)
        self._bus.streams.looked_at(self._stream, state)
        if await self._landmarks.are_missing_in(state, applied=self._applied):
            self._restart()
        self._landmarks.created = state.created
        while self._applied < state.last_sequence:
            await self._read_on(stream_reader, until=state.last_sequence + 1)

    async def _read_on(self, stream_reader: Reader, *, until: int) -> None:
        """Apply the next batch of what lies before `until`, or find that nothing does."""
        batch = await stream_reader.batch(sequence=self._applied + 1)
        if not batch:
            await self._refuse_lag(until=until)
            # Nothing is left before it: deleted, or replaced by a later message of its subject.
            self._applied = until - 1
        for message in batch:
            if int((message.headers or {})[SEQUENCE]) >= until:
                # What a node holds has no holes of its own, so nothing is left before it.
                self._applied = until - 1
                return
            await self._apply(message)
        # Others want to run as well while a large stream is read.
        await self._bus.clocks.sleep(0)

    async def _refuse_lag(self, *, until: int) -> None:
        """Have the leader confirm that nothing lies before `until`.

        Raises:
            Retryable: something does, which the node we are connected to has not yet.

        """
        following = await next_sequence(
            self._bus.client, stream=self._stream, sequence=self._applied + 1
        )
        if following is not None and following < until:
            LAGS.labels(stream=self._stream).inc()
            message = f"{self._stream}: event {following} is not yet where we read"
            raise Retryable(BusRefusal.BEHIND, message)

    def _restart(self) -> None:
        log.warning("projection.restarted", stream=self._stream, applied=self._applied)
        self._applied = 0
        self._landmarks.clear()
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
            if not await self._woken(within_s=self._bus.pace.check_s) or not self._live:
                # Nothing came; or, woken by a reconnection, something may have been missed.
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
            return not self._landmarks.are_before(place.recorded_at)
        if place.sequence > self._applied + 1:
            GAPS.labels(stream=self._stream).inc()
            log.info("projection.gap", stream=self._stream, applied=self._applied)
            while self._applied < place.sequence - 1:
                await self._read_on(stream_reader, until=place.sequence)
        if place.sequence == self._applied + 1:
            await self._apply(message)
        return True

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
            self._count(_APPLIED)
        except Rejected as error:
            self._count(error.reason)
            log.warning(
                "projection.left_out",
                stream=self._stream,
                sequence=place.sequence,
                reason=error.reason,
            )
        self._applied = place.sequence
        self._landmarks.add(place.sequence, place.recorded_at)
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
