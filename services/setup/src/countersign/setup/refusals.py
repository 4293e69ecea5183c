"""Reasons for which an installation is not touched."""

from enum import StrEnum


class SetupRefusal(StrEnum):
    BUS_DIFFERS = "bus_differs"
    BAD_KEY = "bad_key"
    """A file holds no key of the kind that is needed."""
    UNREADABLE = "unreadable"
    """A file cannot be read or written."""
    DROPPED = "dropped"
    """Events are gone that no seal covers."""
