"""Asks a forge no more than is our share, and leaves one alone that cannot answer."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from countersign.auditor.interfaces import Jitter
from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.dialects.limits import Quota

WINDOW: Final = timedelta(hours=1)
# A forge that tells no limit is asked as if it had this one: less than any of them documents.
ASSUMED_LIMIT: Final = 3000
# One inspection; whoever begins one must be allowed to end it.
QUESTIONS_MAX: Final = 6
# What is left of a limit below this belongs to its owner's own work.
LEFT_RATIO_MIN: Final = 0.1
ACCOUNTS_MAX: Final = 10_000
# One failure may be a token's own; two in a row are the forge's.
FAILURES_BORNE: Final = 1
REST_FIRST: Final = timedelta(seconds=30)
REST_MAX: Final = timedelta(minutes=30)
_DOUBLINGS_MAX: Final = 8


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account at a forge, whose limit our questions count against."""

    origin: str
    owner: str


@dataclass
class _Spending:
    """The questions of one account within the last hour."""

    moments: deque[datetime] = field(default_factory=deque)
    limit: int = ASSUMED_LIMIT
    rest_until: datetime | None = None

    def forget_older(self, now: datetime) -> None:
        while self.moments and now - self.moments[0] >= WINDOW:
            self.moments.popleft()


@dataclass
class _Trouble:
    failures: int = 0
    rest_until: datetime | None = None


@dataclass(kw_only=True)
class Restraint:
    """Counts our questions.

    Args:
        share: the part of an account's limit that may be spent on them in an hour.
        jitter: spreads rests, so that many auditors do not come back together.

    """

    share: float
    jitter: Jitter
    _spent: BoundedDict[Account, _Spending] = field(
        default_factory=lambda: BoundedDict[Account, _Spending](ACCOUNTS_MAX)
    )
    _troubles: dict[str, _Trouble] = field(default_factory=dict)

    def rest_until(self, account: Account, *, now: datetime) -> datetime | None:
        """Return until when nothing may be asked; none: it may be asked now."""
        trouble = self._troubles.get(account.origin)
        spending = self._spent.get(account)
        rests = [trouble.rest_until if trouble else None]
        if spending is not None:
            spending.forget_older(now)
            rests += [spending.rest_until, self._rest_of_share(spending)]
        found = max((rest for rest in rests if rest is not None), default=None)
        return found if found is not None and found > now else None

    def asked(
        self, account: Account, *, now: datetime, quota: Quota | None, counts: bool = True
    ) -> None:
        """Count one question; one whose answer is that nothing changed does not count."""
        spending = self._spent[account] = self._spent.get(account) or _Spending()
        spending.forget_older(now)
        if counts:
            spending.moments.append(now)
        if quota is not None:
            spending.limit = quota.limit
            scarce = quota.remaining < quota.limit * LEFT_RATIO_MIN
            reset = datetime.fromtimestamp(quota.resets_at_s, now.tzinfo)
            spending.rest_until = reset if scarce else None

    def failed(self, origin: str, *, now: datetime) -> None:
        """Note that the forge could not answer."""
        trouble = self._troubles.setdefault(origin, _Trouble())
        trouble.failures += 1
        if trouble.failures > FAILURES_BORNE:
            doublings = min(trouble.failures - FAILURES_BORNE - 1, _DOUBLINGS_MAX)
            rest = min(REST_FIRST * 2**doublings, REST_MAX)
            trouble.rest_until = now + rest * (0.75 + 0.5 * self.jitter())

    def answered(self, origin: str) -> None:
        """Note that the forge could answer."""
        self._troubles.pop(origin, None)

    def _rest_of_share(self, spending: _Spending) -> datetime | None:
        """Return the moment from which on an inspection fits into the share again.

        One at a time always does: a share may be less than a question.
        """
        over = len(spending.moments) + QUESTIONS_MAX - int(spending.limit * self.share)
        if over <= 0 or not spending.moments:
            return None
        return spending.moments[min(over, len(spending.moments)) - 1] + WINDOW
