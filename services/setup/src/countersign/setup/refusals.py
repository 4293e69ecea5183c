"""Reasons for which an installation is not touched."""

from enum import StrEnum


class SetupRefusal(StrEnum):
    BUS_DIFFERS = "bus_differs"
    SECRET_MISSING = "secret_missing"  # noqa: S105 - a reason, not a secret
