"""The reasons for which contracts refuse something."""

from enum import StrEnum


class ContractRefusal(StrEnum):
    """A message, address or revision that is not as the contracts have it."""

    MALFORMED = "malformed"
    FORGE_NOT_LISTED = "forge_not_listed"
    BAD_REPOSITORY_URL = "bad_repository_url"
    NOT_PROMOTABLE = "not_promotable"
