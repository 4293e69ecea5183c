"""Reasons for which a webhook tells nothing."""

from enum import StrEnum


class HookRefusal(StrEnum):
    MALFORMED = "malformed"
