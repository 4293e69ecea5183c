"""Facts about messages that the `.proto` files state beside their shape."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from countersign.contracts.message import Message


class Scope(Enum):
    """The identifiers that the subject of an event has below its noun and verb."""

    PIPELINE = auto()
    PROMOTION = auto()
    CREDENTIAL = auto()
    PERSON = auto()


@dataclass(frozen=True)
class EventInfo:
    """An event's `<noun>.<past-verb>`, scope, and the services that may publish it."""

    name: str
    scope: Scope
    publishers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Routing:
    addressed: bool
    broadcast: bool


@dataclass(frozen=True)
class MethodInfo(_Routing):
    """A request: who answers it, who may ask, and which replica it goes to."""

    service: str
    verb: str
    request: "type[Message]"
    response: "type[Message]"
    callers: tuple[str, ...]
