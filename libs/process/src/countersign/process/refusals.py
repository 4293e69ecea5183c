"""The reasons for which a process refuses what it was given to start with."""

from enum import StrEnum


class ProcessRefusal(StrEnum):
    """A file or an address that a service cannot use."""

    ADDRESS = "address"
    BAD_DOCUMENT = "bad_document"
    BAD_SECRET = "bad_secret"  # noqa: S105 - a reason, not a secret
    CREDENTIAL_MISSING = "credential_missing"
