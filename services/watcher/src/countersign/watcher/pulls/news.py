"""Turns signed news of pull requests into events, for pull requests of ours only.

A webhook never causes a promotion.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS, PullRequestOpened
from countersign.contracts.subjects import fact_id
from countersign.dialects.hooks.fates import Fate
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import carrier, span
from countersign.watcher.interfaces import Publisher
from countersign.watcher.model import WebhookOutcome
from countersign.watcher.observation.projection import Projection, TrackedPromotion
from countersign.watcher.pulls.fate_events import event_of, pull_of
from countersign.watcher.pulls.sources import Address, Source

log = get_logger()

# News that came before we heard of the pull request; it is small, and signed.
PARKED_MAX: Final = 256
DELIVERIES_MAX: Final = 10_000
# Those of all forges are UUIDs.
DELIVERY_CHARACTERS_MAX: Final = 64

Place = tuple[str, str, int]
# Who sent it, and the id that it has there; empty where the forge gives none.
Delivered = tuple[Address, str]


class PullRequestNews:
    def __init__(
        self, *, projection: Projection, publisher: Publisher, clock: Callable[[], datetime]
    ) -> None:
        self._projection = projection
        self._publisher = publisher
        self._clock = clock
        # By sender too: one that is not believed takes nobody's place.
        self._parked: BoundedDict[tuple[Place, Address], tuple[Fate, Source]] = BoundedDict(
            PARKED_MAX
        )
        self._deliveries: BoundedDict[Delivered, None] = BoundedDict(DELIVERIES_MAX)

    def is_repeated(self, delivered: Delivered) -> bool:
        """Tell whether it was handled; a forge sends it again when it is unsure."""
        return delivered in self._deliveries

    def remember(self, delivered: Delivered) -> None:
        if 0 < len(delivered[1]) <= DELIVERY_CHARACTERS_MAX:
            self._deliveries[delivered] = None

    async def on_fate(self, fate: Fate, *, source: Source) -> WebhookOutcome:
        """Publish what became of a pull request; returns a word for what was done.

        Raises:
            Retryable: the bus did not take it; the forge may send it again.

        """
        origin = source.forge.origin
        entry = self._projection.by_pull_request(
            origin=origin, repository_id=fate.repository_id, number=fate.number
        )
        if entry is None:
            # A merge can be faster than the news that the pull request was opened.
            place = (origin, fate.repository_id, fate.number)
            self._parked[place, source.address] = (fate, source)
            return WebhookOutcome.UNKNOWN
        return await self._publish(fate, entry=entry, source=source)

    async def on_opened(self, event: PullRequestOpened) -> None:
        """Look whether its fate was told before it was."""
        ref = event.pull_request
        place = (ref.origin, ref.repository_id, ref.number)
        told = [self._parked.pop(key) for key in list(self._parked) if key[0] == place]
        for fate, source in told:
            # Of now: the one before may have changed it.
            entry = self._projection.entry(event.promotion.promotion_id)
            if entry is not None:
                await self._publish(fate, entry=entry, source=source)

    async def _publish(
        self, fate: Fate, *, entry: TrackedPromotion, source: Source
    ) -> WebhookOutcome:
        promotion = entry.promotion
        pull = pull_of(fate, promotion)
        if pull is None or not source.tells_of(pull.pull_request):
            log.warning("webhook.foreign", promotion_id=promotion.promotion_id)
            return WebhookOutcome.FOREIGN
        ref = pull.pull_request
        if not fate.merged and self._projection.is_known_closed(ref, at=fate.at):
            # From before it was opened again: a delivery can be caught, and sent under a new id.
            return WebhookOutcome.KNOWN
        event = event_of(fate, promotion=promotion, pull=pull, now=self._clock())
        if advance(promotion, event) is promotion:
            return WebhookOutcome.KNOWN
        described = {
            names.PROMOTION_ID: promotion.promotion_id,
            names.VCS_CHANGE_ID: str(ref.number),
        }
        with span(
            names.SPAN_FOLLOW_PULL_REQUEST,
            parent=entry.trace,
            links=[carrier()],
            attributes=described,
        ):
            await self._send(event)
        log.info(
            EVENTS[type(event)].name.replace("-", "_"),
            promotion_id=promotion.promotion_id,
            number=ref.number,
        )
        return WebhookOutcome.MERGED if fate.merged else WebhookOutcome.CLOSED

    async def _send(self, event: Message) -> None:
        published = await self._publisher.publish(event, message_id=fact_id(event))
        self._projection.apply(event, sequence=published.sequence, trace=carrier())
