"""The promotions, as the stream tells them to this service itself.

What a person consents to is computed from these, never from what a request says.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from countersign.approval.interfaces import ReceivedEvent
from countersign.approval.model import Entry
from countersign.approval.promotions.accounts import Accounts
from countersign.approval.promotions.pace import Pace
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import ApprovalGranted, PromotionRef
from countersign.contracts.promotion import OVER, Promotion

# What the gateway has seen may be on its way to us; a person does not wait longer than this.
LAG_S_MAX: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Change:
    """An event, and the promotion after it."""

    event: Message
    entry: Entry


class Promotions:
    def __init__(self, *, pace: Pace) -> None:
        self.pace = pace
        self._entries: dict[str, Entry] = {}
        self._changed = asyncio.Condition()
        self.accounts = Accounts()

    async def apply(self, received: ReceivedEvent) -> Change | None:
        """Fold one event in; none for one that concerns no promotion known here."""
        ref: PromotionRef | None = getattr(received.message, "promotion", None)
        if ref is None:
            return None
        before = self._entries.get(ref.promotion_id)
        known = before.promotion if before else None
        self.pace.hear(received.message, known, promotion_id=ref.promotion_id)
        after = advance(known, received.message)
        if after is None:
            return None
        entry = Entry(promotion=after, trace=before.trace if before else dict(received.trace))
        # One that is over can never change again, so it need not be remembered.
        if after.state in OVER:
            self._entries.pop(ref.promotion_id, None)
        else:
            self._entries[ref.promotion_id] = entry
        if isinstance(received.message, ApprovalGranted):
            self._learn(received.message, after)
        async with self._changed:
            self._changed.notify_all()
        return Change(event=received.message, entry=entry)

    def _learn(self, event: ApprovalGranted, promotion: Promotion) -> None:
        if event.forge_user:
            origin = promotion.request.destination.origin
            self.accounts.learn(event.by, event.forge_user, origin=origin)

    @property
    def all(self) -> tuple[Entry, ...]:
        return tuple(self._entries.values())

    def clear(self) -> None:
        """Forget all, because the stream begins anew."""
        self._entries.clear()

    def find(self, promotion_id: str) -> Entry | None:
        return self._entries.get(promotion_id)

    async def until(self, promotion_id: str, reached: Callable[[Entry], bool]) -> Entry:
        """The promotion, given a moment to be told of what others have already seen.

        Raises:
            Rejected: `unknown_promotion`.

        """

        def looks_right() -> bool:
            entry = self._entries.get(promotion_id)
            return entry is not None and reached(entry)

        try:
            async with asyncio.timeout(LAG_S_MAX), self._changed:
                await self._changed.wait_for(looks_right)
        except TimeoutError:
            pass
        entry = self._entries.get(promotion_id)
        if entry is None:
            raise Rejected(
                ConsentRefusal.UNKNOWN_PROMOTION,
                f"promotion {promotion_id!r} is not known, or is over",
            )
        return entry

    async def get(self, promotion_id: str) -> Entry:
        return await self.until(promotion_id, lambda _: True)
