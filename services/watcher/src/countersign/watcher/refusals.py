"""Reasons for which the watcher does not take what it was given."""

from enum import StrEnum


class WatcherRefusal(StrEnum):
    BAD_SECRET = "bad_secret"  # noqa: S105 - a reason, not a secret
    CONFLICT = "conflict"
    EMPTY = "empty"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
