"""The findings of a check. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Subject(StrEnum):
    """The kind of thing that was looked at."""

    ADDRESS = "address"
    FORGE = "forge"
    PROVIDER = "provider"
    BUS = "bus"
    STREAM = "stream"
    CLUSTER = "cluster"
    RIGHT = "right"
    CLOCK = "clock"
    FILE = "file"
    SETTING = "setting"


class Fault(StrEnum):
    """The way in which it is not as it should be."""

    NOT_SET = "not_set"
    WRONG_SETTING = "wrong_setting"
    UNKNOWN_SETTING = "unknown_setting"
    NOT_TRIED = "not_tried"
    BAD_ADDRESS = "bad_address"
    NOT_ENCRYPTED = "not_encrypted"
    ONLY_INSIDE = "only_inside"
    UNREACHABLE = "unreachable"
    NAME_UNKNOWN = "name_unknown"
    CONNECTION_REFUSED = "connection_refused"
    TIMED_OUT = "timed_out"
    NOT_TRUSTED = "not_trusted"
    NOT_TLS = "not_tls"
    BAD_AUTHORITY = "bad_authority"
    REFUSED = "refused"
    NO_APPLICATION = "no_application"
    SECRET_MISSING = "secret_missing"  # noqa: S105 - a fault, not a secret
    FILE_MISSING = "file_missing"
    APPLICATION_UNKNOWN = "application_unknown"
    REACH_NOT_ACCEPTED = "reach_not_accepted"
    NOT_SUPPORTED = "not_supported"
    OTHER_ISSUER = "other_issuer"
    KEY_REFUSED = "key_refused"
    STREAM_MISSING = "stream_missing"
    NO_MAJORITY = "no_majority"
    STREAM_FULL = "stream_full"
    PERMISSION_MISSING = "permission_missing"
    KIND_MISSING = "kind_missing"
    RIGHT_MISSING = "right_missing"
    CLOCK_WRONG = "clock_wrong"


# An installation works without these, and somebody may want it so.
TOLERABLE: Final = frozenset({Fault.NO_APPLICATION, Fault.UNKNOWN_SETTING})
# Only other settings mend these; the rest may be for as long as everything is just starting.
LASTING: Final = frozenset(
    {
        Fault.NOT_SET,
        Fault.BAD_ADDRESS,
        Fault.NOT_ENCRYPTED,
        Fault.ONLY_INSIDE,
        Fault.APPLICATION_UNKNOWN,
        Fault.REACH_NOT_ACCEPTED,
        Fault.NOT_SUPPORTED,
        Fault.OTHER_ISSUER,
        Fault.BAD_AUTHORITY,
        Fault.NOT_TRUSTED,
    }
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at; without a fault it is as it should be.

    `detail` is what was seen, in the words of whoever answered; `hint` what to do, where that is
    known better than of every such fault.
    """

    subject: Subject
    name: str
    fault: Fault | None = None
    detail: str = ""
    hint: str = ""

    @property
    def is_serious(self) -> bool:
        return self.fault is not None and self.fault not in TOLERABLE
