"""The pace at which one person may have things recorded of one promotion, and of all.

What counts is what the stream tells, so that any number of replicas have one limit together, and
one that starts anew has it still. What this replica lets through counts at once.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalGranted,
    ApprovalRejected,
    Person,
    PromotionRetried,
)
from countersign.contracts.promotion import Promotion

WINDOW_S: Final = 600.0
# A person who clicks again and again, and one who approves a whole release train.
OF_ONE_PROMOTION_MAX: Final = 10
OF_ALL_MAX: Final = 120
# Those who were heard longest ago are forgotten; nobody waits for that long.
REMEMBERED_MAX: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One thing that a person had recorded, and when."""

    by: Person
    at: datetime | None


def deed_of(event: Message, before: Promotion | None) -> Deed | None:
    """Return what a person did by this event; an approval that was begun counted then."""
    match event:
        case ApprovalBegun():
            return Deed(by=event.by, at=event.begun_at)
        case ApprovalGranted() if event.approval_id not in _known(before):
            return Deed(by=event.by, at=event.granted_at)
        case ApprovalRejected():
            return Deed(by=event.by, at=event.rejected_at)
        case PromotionRetried(by=Person() as by):
            return Deed(by=by, at=event.retried_at)
        case _:
            return None


def _known(before: Promotion | None) -> set[str]:
    return {*before.spent, *(a.approval_id for a in before.approvals)} if before else set()


@dataclass(slots=True)
class _Count:
    """The newest times, oldest first, and how many of them the stream has not told yet."""

    at_s: deque[float]
    unheard: int = 0


class Pace:
    """Counts in a window that moves.

    Args:
        monotonic_s: a clock that never goes back.
        now: the wall's, by which events are dated.

    """

    def __init__(self, *, monotonic_s: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._monotonic_s = monotonic_s
        self._now = now
        self._counts: BoundedDict[tuple[str, str], _Count] = BoundedDict(REMEMBERED_MAX)

    def take(self, person_id: str, promotion_id: str) -> None:
        """Count one more.

        Raises:
            Retryable: `limit`, with when it may be tried again; nothing was counted.

        """
        now_s = self._monotonic_s()
        counts = self._recent(person_id, promotion_id, now_s)
        for count in counts:
            at_most = count.at_s.maxlen or 0
            if len(count.at_s) >= at_most:
                after_s = ceil(count.at_s[0] + WINDOW_S - now_s)
                raise Retryable(
                    ConsentRefusal.LIMIT,
                    f"you did that {at_most} times in {WINDOW_S:.0f} s; try again in {after_s} s",
                    after_s=after_s,
                )
        for count in counts:
            count.at_s.append(now_s)
            count.unheard += 1

    def hear(self, event: Message, before: Promotion | None, *, promotion_id: str) -> None:
        """Count what the stream tells that some replica let through."""
        deed = deed_of(event, before)
        if deed is None or deed.at is None:
            return
        now_s = self._monotonic_s()
        age_s = max((self._now() - deed.at).total_seconds(), 0.0)
        if age_s >= WINDOW_S:
            return
        for count in self._recent(deed.by.id, promotion_id, now_s):
            if count.unheard:
                count.unheard -= 1
            else:
                count.at_s.append(now_s - age_s)

    def _recent(self, person_id: str, promotion_id: str, now_s: float) -> tuple[_Count, _Count]:
        return (
            self._count((person_id, promotion_id), OF_ONE_PROMOTION_MAX, now_s),
            self._count((person_id, ""), OF_ALL_MAX, now_s),
        )

    def _count(self, key: tuple[str, str], at_most: int, now_s: float) -> _Count:
        count = self._counts.get(key) or _Count(deque(maxlen=at_most))
        while count.at_s and count.at_s[0] + WINDOW_S <= now_s:
            count.at_s.popleft()
        count.unheard = min(count.unheard, len(count.at_s))
        self._counts[key] = count
        return count
