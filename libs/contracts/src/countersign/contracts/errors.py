"""The three kinds of failure: try again, refused, and anything else, which is a bug."""

from enum import StrEnum


class Retryable(Exception):
    """It may work later.

    Args:
        reason: a stable word of the boundary that refuses, for instance `rate_limited`.
        message: what failed, on which object.
        after_s: how long to wait before the next try, seconds; none means the caller's back-off.

    """

    def __init__(self, reason: StrEnum, message: str, *, after_s: float | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.after_s = after_s


class Rejected(Exception):
    """It will not work however often it is tried.

    Args:
        reason: a stable word of the boundary that refuses, for instance `no_marker`.
        message: what failed, on which object, and what to do.

    """

    def __init__(self, reason: StrEnum, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
