"""Reasons that no boundary of ours has."""

from enum import StrEnum


class MadeUp(StrEnum):
    BUSY = "busy"
    MADE_UP = "made_up"
    NO_MARKER = "no_marker"
    UNKNOWN = "unknown"
