"""Updates about the objects of one kind, and how well they are known."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from countersign.kube.objects import ObjectKey


class Standing(StrEnum):
    """The degree to which the objects of a kind are known."""

    UNREAD = "unread"
    READ = "read"
    ABSENT = "absent"  # the API server has no such kind
    FORBIDDEN = "forbidden"
    UNREACHABLE = "unreachable"  # what is known is from before


class Keyed(Protocol):
    @property
    def key(self) -> ObjectKey: ...


class Api(Protocol):
    """The interface of `WatchingApi`, and of whatever stands before one."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes: ...

    def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]: ...


T = TypeVar("T", bound=Keyed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Generic[T]):
    """The changes of objects since the last update, and how well they are known now."""

    standing: Standing
    changed: Mapping[ObjectKey, T] = field(default_factory=dict)
    removed: frozenset[ObjectKey] = frozenset()
    # Why they are not known: a word, and a sentence.
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling(Generic[T]):
    """The reader of objects and the receiver of updates; `read` may refuse one with `Rejected`."""

    read: Callable[[dict[str, Any]], T]
    deliver: Callable[[Update[T]], Awaitable[None]]
