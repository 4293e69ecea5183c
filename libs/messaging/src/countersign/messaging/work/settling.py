"""Settling a message of a durable: the one place that maps our errors to the bus.

Done → acknowledged. `Retryable` → again, later. `Rejected`, malformed, or failed too often → a dead
letter. Anything else is a bug: a dead letter and an error log.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import EVENTS, DeadLetter
from countersign.contracts.subjects import event_model
from countersign.messaging.envelope import Place
from countersign.messaging.meters import DEAD_LETTERS, HANDLED, HANDLING_SECONDS
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.streams import Durable
from countersign.process.clocks import Clocks
from countersign.telemetry.logs import get_logger
from countersign.telemetry.stopwatch import stopwatch

log = get_logger()

BACK_OFF_FIRST_S: Final = 1.0
BACK_OFF_MAX_S: Final = 300.0
_DOUBLINGS_MAX: Final = 30
# With its base64 and the rest of the letter it stays below what the bus takes.
DEAD_BODY_BYTES_MAX: Final = 512 * 1024
_SEQUENCE_MAX: Final = 2**31 - 1
_REASON_CHARACTERS_MAX: Final = 120

GIVE_UP_S: Final = 30.0
GIVE_UP_AGAIN_S: Final = 30.0
GiveUp = Callable[[str], Awaitable[None]]

ACK: Final = b"+ACK"
NAK: Final = b"-NAK"
TERM: Final = b"+TERM"
PROGRESS: Final = b"+WPI"


@dataclass(frozen=True)
class Done:
    pass


@dataclass(frozen=True)
class Again:
    after_s: float
    reason: StrEnum


@dataclass(frozen=True)
class Dead:
    reason: StrEnum
    # The type of an error that nobody foresaw.
    bug: str = ""

    @property
    def words(self) -> str:
        return f"{self.reason}: {self.bug}" if self.bug else self.reason


Verdict = Done | Again | Dead


def verdict(
    error: BaseException | None, *, deliveries: int, tries_max: int, jitter: float
) -> Verdict:
    """Decide. `jitter`, 0 to 1, spreads what failed together over half of the back-off."""
    if error is None:
        return Done()
    if isinstance(error, Retryable):
        if deliveries >= tries_max:
            return Dead(error.reason)
        after_s = back_off_s(deliveries, jitter) if error.after_s is None else error.after_s
        return Again(after_s=min(max(after_s, 0.0), BACK_OFF_MAX_S), reason=error.reason)
    if isinstance(error, Rejected):
        return Dead(error.reason)
    if isinstance(error, TimeoutError) and deliveries < tries_max:
        return Again(after_s=back_off_s(deliveries, jitter), reason=BusRefusal.TIMEOUT)
    return Dead(BusRefusal.INTERNAL, bug=type(error).__name__)


def back_off_s(deliveries: int, jitter: float) -> float:
    doublings = min(max(deliveries, 1) - 1, _DOUBLINGS_MAX)
    full = min(BACK_OFF_FIRST_S * 2.0**doublings, BACK_OFF_MAX_S)
    return full * (0.5 + jitter / 2)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message as the durable delivered it."""

    durable: str
    subject: str
    reply: str
    body: bytes
    place: Place
    tries_max: int
    timeout_s: float


class Post(Protocol):
    """The part of the bus that settling needs."""

    async def settle(self, reply: str, payload: bytes) -> None: ...

    async def bury(self, letter: DeadLetter, *, message_id: str) -> None: ...


async def settle(
    delivery: Delivery,
    *,
    post: Post,
    handle: Callable[[], Awaitable[None]],
    give_up: GiveUp,
    clocks: Clocks,
) -> None:
    """Run the handler and settle the message, whatever happens but cancellation.

    `give_up` ends the matter of a message before it becomes a dead letter.
    """
    spent_s = stopwatch()
    error = await _run(delivery, handle)
    decided = verdict(
        error,
        deliveries=delivery.place.deliveries,
        tries_max=delivery.tries_max,
        jitter=clocks.random(),
    )
    _log(delivery, decided, error)
    if isinstance(decided, Dead) and (hindrance := await _given_up(give_up, decided.words)):
        # Better delivered once more than a matter without an end.
        log.warning("work.not_given_up", durable=delivery.durable, reason=hindrance)
        decided = Again(after_s=GIVE_UP_AGAIN_S, reason=hindrance)
    await _carry_out(delivery, decided, post, died_at=clocks.wall())
    kind = message_type(delivery.subject)
    HANDLED.labels(type=kind, outcome=type(decided).__name__.lower()).inc()
    HANDLING_SECONDS.labels(type=kind).observe(spent_s())


async def _run(delivery: Delivery, handle: Callable[[], Awaitable[None]]) -> Exception | None:
    if delivery.place.deliveries > delivery.tries_max:
        # Its handler took the process with it so often that nobody ever settled it.
        return Rejected(BusRefusal.NEVER_SETTLED, f"{delivery.place.deliveries} deliveries")
    try:
        async with asyncio.timeout(delivery.timeout_s):
            await handle()
    except Exception as error:  # the one place where a bug becomes a dead letter  # noqa: BLE001
        return error
    return None


async def _given_up(give_up: GiveUp, words: str) -> StrEnum | None:
    """Return what hinders it for now; a bug hinders nothing, its message is as dead as before."""
    try:
        async with asyncio.timeout(GIVE_UP_S):
            await give_up(words)
    except (Retryable, Rejected) as error:
        return error.reason
    except TimeoutError:
        return BusRefusal.TIMEOUT
    except Exception:
        log.exception("work.bug")
    return None


async def _carry_out(
    delivery: Delivery, decided: Verdict, post: Post, *, died_at: datetime
) -> None:
    match decided:
        case Done():
            await post.settle(delivery.reply, ACK)
        case Again(after_s=after_s):
            await post.settle(delivery.reply, nak(after_s))
        case Dead(reason=reason):
            try:
                letter = dead_letter(delivery, decided.words, died_at=died_at)
                await post.bury(letter, message_id=_letter_id(delivery))
            except (Retryable, Rejected) as error:
                # Better delivered once more than lost.
                log.warning("work.not_buried", durable=delivery.durable, reason=error.reason)
                await post.settle(delivery.reply, nak(BACK_OFF_MAX_S / 10))
                return
            DEAD_LETTERS.labels(durable=delivery.durable, reason=reason).inc()
            await post.settle(delivery.reply, TERM + b" " + decided.words.encode())


def nak(after_s: float) -> bytes:
    """Return a negative acknowledgement that asks for redelivery after a delay.

    Source: https://docs.nats.io/using-nats/developer/develop_jetstream/consumers
    """
    if after_s <= 0:
        return NAK
    return NAK + b" " + json.dumps({"delay": int(after_s * 1_000_000_000)}).encode()


def dead_letter(delivery: Delivery, reason: str, *, died_at: datetime) -> DeadLetter:
    return DeadLetter(
        stream=delivery.place.stream,
        consumer=delivery.durable,
        sequence=min(delivery.place.sequence, _SEQUENCE_MAX),
        subject=delivery.subject,
        reason=reason[:_REASON_CHARACTERS_MAX],
        deliveries=delivery.place.deliveries,
        died_at=died_at,
        body=delivery.body[:DEAD_BODY_BYTES_MAX],
    )


def message_type(subject: str) -> str:
    """A label of which there are as many as there are messages."""
    model = event_model(subject)
    return "unknown" if model is None else EVENTS[model].name


def expect(durable: Durable) -> None:
    """Show what may become of its messages before there are any."""
    types = [message_type(subject) for subject in durable.filters]
    verdicts = [kind.__name__.lower() for kind in (Done, Again, Dead)]
    HANDLED.expect((kind, word) for kind in types for word in verdicts)
    DEAD_LETTERS.expect([(durable.name, BusRefusal.INTERNAL)])


def _letter_id(delivery: Delivery) -> str:
    # With the time: a stream that was made anew counts from 1 again.
    place = delivery.place
    return f"dead-{place.stream}-{place.sequence}-{place.recorded_at.timestamp():.6f}"


def _log(delivery: Delivery, decided: Verdict, error: BaseException | None) -> None:
    known = {
        "durable": delivery.durable,
        "subject": delivery.subject,
        "sequence": delivery.place.sequence,
        "deliveries": delivery.place.deliveries,
    }
    match decided:
        case Done():
            log.debug("work.done", **known)
        case Again(after_s=after_s, reason=reason):
            log.warning("work.again", after_s=round(after_s, 3), reason=reason, **known)
        case Dead(bug=bug) if bug:
            log.error("work.bug", reason=decided.words, exc_info=error, **known)
        case Dead(reason=reason):
            log.warning("work.dead", reason=reason, **known)
