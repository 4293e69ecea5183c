"""What the watcher needs of the outside: objects, a memory beside them, and somebody to tell."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from countersign.contracts.message import Message
from countersign.kube.flux import Record
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines import Pipeline
from countersign.watcher.model import Links, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of objects since the last time; the first holds everything.

    `complete` says that everything could be read: only then is what is absent truly gone.
    """

    changed: Mapping[ObjectKey, Record] = field(default_factory=dict)
    removed: frozenset[ObjectKey] = frozenset()
    problems: tuple[Problem, ...] = ()
    complete: bool = True


Deliver = Callable[[Changes], Awaitable[None]]


class LinkStore(Protocol):
    """Remembers the chain of promotions beside the Pipeline, longer than any stream."""

    def read(self, pipeline: Pipeline) -> Links: ...

    def write(self, pipeline: Pipeline, links: Links) -> None: ...


class Stored(Protocol):
    """Where an event is in its stream."""

    @property
    def sequence(self) -> int: ...


class Publisher(Protocol):
    """Publishes an event, at most once for a message id within the stream's window."""

    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> Stored:
        """
        Raises:
            Rejected: `exists`, where `create_once` found that somebody was first.
            Retryable: the bus did not answer.

        """
        ...

    async def last(self, model: type[Message], subject: str, *, stream: str) -> object | None:
        """What the stream holds last on a subject; none where it is nothing.

        Raises:
            Rejected: it is something else, or malformed.
            Retryable: the bus did not answer.

        """
