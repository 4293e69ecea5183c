"""The base of all messages: frozen, tolerant of unknown fields, and canonical.

The body of a message is JSON in the canonical proto3 form: names in lowerCamelCase, defaults left
out, times in UTC with 0, 3, 6 or 9 digits of a second, bytes in base64, enum values by name.
Source: https://protobuf.dev/programming-guides/json/
"""

import base64
import binascii
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from countersign.contracts.errors import Rejected
from countersign.contracts.refusals import ContractRefusal
from countersign.contracts.wire.times import plausible


class ProtoEnum(StrEnum):
    """An enum whose unknown values read as its first, `…_UNSPECIFIED`, as proto3 readers do."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        members = list(cls)
        if isinstance(value, int) and 0 <= value < len(members):
            return members[value]
        return members[0]


def _decode_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        # proto3 readers take the URL alphabet and missing padding as well.
        padded = value + "=" * (-len(value) % 4)
        return base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _canonical_time(value: datetime) -> str:
    moment = value.astimezone(UTC)
    # Not `strftime`: it writes the year 1 without leading zeros.
    text = moment.replace(microsecond=0, tzinfo=None).isoformat()
    if moment.microsecond == 0:
        return text + "Z"
    if moment.microsecond % 1000 == 0:
        return f"{text}.{moment.microsecond // 1000:03d}Z"
    return f"{text}.{moment.microsecond:06d}Z"


def _drop_nanoseconds(value: object) -> object:
    """Cut to the six digits that a `datetime` holds; other languages may write nine."""
    if isinstance(value, str) and "." in value and value.endswith("Z"):
        seconds, _, fraction = value[:-1].partition(".")
        return f"{seconds}.{fraction[:6]}Z"
    return value


def _refuse_implausible(moment: datetime) -> datetime:
    if plausible(moment) is None:
        raise ValueError("nobody can mean that time")
    return moment


Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_drop_nanoseconds),
    AfterValidator(_refuse_implausible),
    PlainSerializer(_canonical_time, return_type=str, when_used="json"),
]
# What `int32` holds; other readers refuse more.
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Bytes = Annotated[
    bytes,
    BeforeValidator(_decode_base64),
    PlainSerializer(lambda v: base64.b64encode(v).decode(), return_type=str, when_used="json"),
]


class Message(BaseModel):
    """Base of all generated models."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if isinstance(data, dict) and None in data.values():
            return {key: value for key, value in data.items() if value is not None}
        return data

    def to_json(self) -> bytes:
        """The canonical body."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True).encode()

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """Read a body.

        Raises:
            Rejected: `malformed`; the message names the fields, never their values.

        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise Rejected(ContractRefusal.MALFORMED, f"{cls.__name__}: {_places(error)}") from None


def _places(error: ValidationError) -> str:
    # Never `str(error)` or `errors()` as they come: both can carry the input.
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, d['loc'])) or 'body'}: {d['type']}" for d in details[:5])
