"""Counts requests per caller and hour and says so in GitHub's headers.

Source: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from collections.abc import Callable
from datetime import datetime

from countersign.local.forge.state.permissions import Caller

LIMIT = 5_000
ANONYMOUS_LIMIT = 60
HOUR_S = 3_600


class RateLimits:
    """A fixed window of an hour for each caller and each kind of request."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._window = 0
        self._used: dict[tuple[str, str], int] = {}

    def state(self, caller: Caller, resource: str) -> dict[str, int]:
        at = int(self._clock().timestamp())
        if at // HOUR_S != self._window:
            # Counts of past hours are forgotten, which also bounds the table.
            self._window, self._used = at // HOUR_S, {}
        used = self._used.get((self._who(caller), resource), 0)
        limit = LIMIT if caller.login else ANONYMOUS_LIMIT
        return {
            "limit": limit,
            "used": used,
            "remaining": max(limit - used, 0),
            "reset": (self._window + 1) * HOUR_S,
        }

    def headers(self, caller: Caller, resource: str, *, count: bool) -> dict[str, str]:
        state = self.state(caller, resource)
        if count:
            key = (self._who(caller), resource)
            self._used[key] = state["used"] = state["used"] + 1
            state["remaining"] = max(state["limit"] - state["used"], 0)
        return {f"x-ratelimit-{name}": str(value) for name, value in state.items()} | {
            "x-ratelimit-resource": resource
        }

    def _who(self, caller: Caller) -> str:
        return caller.login
