"""What the `.proto` files say about messages beside their shape."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from countersign.contracts.message import Message


class Scope(Enum):
    """How far the subject of an event goes below its noun and verb."""

    PIPELINE = auto()
    PROMOTION = auto()
    CREDENTIAL = auto()


@dataclass(frozen=True)
class EventInfo:
    """`name` is `<noun>.<past-verb>`; `publishers` are the services that may publish it."""

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
