"""Reasons for which an installation is not touched."""

from enum import StrEnum


class SetupRefusal(StrEnum):
    BUS_DIFFERS = "bus_differs"
