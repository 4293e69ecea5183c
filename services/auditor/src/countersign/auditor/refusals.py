"""Reasons for which a stored credential is sent nowhere."""

from enum import StrEnum


class GrantRefusal(StrEnum):
    FORGE_NOT_LISTED = "forge_not_listed"
    REPOSITORY_NOT_ALLOWED = "repository_not_allowed"
