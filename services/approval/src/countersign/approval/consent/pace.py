"""The pace at which one person may have things recorded of one promotion, and of all."""

from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Retryable

WINDOW_S: Final = 600.0
# A person who clicks again and again, and one who approves a whole release train.
OF_ONE_PROMOTION_MAX: Final = 10
OF_ALL_MAX: Final = 120
# Those who were heard longest ago are forgotten; nobody waits for that long.
REMEMBERED_MAX: Final = 20_000


class Pace:
    """Counts in a window that moves.

    Args:
        monotonic_s: a clock that never goes back.

    """

    def __init__(self, *, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._taken: BoundedDict[tuple[str, str], deque[float]] = BoundedDict(REMEMBERED_MAX)

    def take(self, person_id: str, promotion_id: str) -> None:
        """Count one more.

        Raises:
            Retryable: `limit`, with when it may be tried again; nothing was counted.

        """
        now_s = self._monotonic_s()
        own = self._recent((person_id, promotion_id), now_s)
        everything = self._recent((person_id, ""), now_s)
        for taken, at_most in ((own, OF_ONE_PROMOTION_MAX), (everything, OF_ALL_MAX)):
            if len(taken) >= at_most:
                after_s = ceil(taken[0] + WINDOW_S - now_s)
                raise Retryable(
                    ConsentRefusal.LIMIT,
                    f"you did that {at_most} times in {WINDOW_S:.0f} s; try again in {after_s} s",
                    after_s=after_s,
                )
        for taken in (own, everything):
            taken.append(now_s)

    def _recent(self, key: tuple[str, str], now_s: float) -> deque[float]:
        taken = self._taken.get(key, deque())
        while taken and taken[0] + WINDOW_S <= now_s:
            taken.popleft()
        self._taken[key] = taken
        return taken
