"""Reasons for which a stored credential is sent nowhere, or not asked about."""

from enum import StrEnum


class CheckRefusal(StrEnum):
    """Why a check that somebody asks for is not made."""

    NOT_NAMED = "not_named"


class GrantRefusal(StrEnum):
    FORGE_NOT_LISTED = "forge_not_listed"
    REPOSITORY_NOT_ALLOWED = "repository_not_allowed"
