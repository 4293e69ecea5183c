"""The words of the bridge. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from countersign.contracts.message import Message


class Shape(StrEnum):
    """The form that a destination wants events in."""

    BINARY = "binary"
    STRUCTURED = "structured"
    CDEVENTS = "cdevents"
    SLACK = "slack"


class BridgeRefusal(StrEnum):
    """A destination that does not take an event."""

    UNREACHABLE = "unreachable"
    BUSY = "busy"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event, its CloudEvents attributes (without `ce-`), and its body as it came."""

    message: Message
    attributes: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.attributes["id"]


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One request to the destination."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
