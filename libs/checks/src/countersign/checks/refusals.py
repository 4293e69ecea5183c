"""Reasons for which something cannot be tried."""

from enum import StrEnum


class CheckRefusal(StrEnum):
    SECRET_MISSING = "secret_missing"  # noqa: S105 - a reason, not a secret
