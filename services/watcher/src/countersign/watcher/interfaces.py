"""The outside as the watcher needs it: objects, a memory beside them, and somebody to tell."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from countersign.contracts.message import Message
from countersign.contracts.messages import SecretRef
from countersign.contracts.secret import Secret
from countersign.kube.flux.rules import Record
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.watcher.gaps import Gap
from countersign.watcher.model import FileProblem, Links, Situation

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Changes of objects since the last time; the first holds everything.

    `complete` says that everything could be read: only then is what is absent truly gone. A source
    that knows better gives the `gaps` in what it read, and reads other clusters too; then
    `complete` is about the Pipelines alone.
    """

    changed: Mapping[ObjectKey, Record] = field(default_factory=dict)
    removed: frozenset[ObjectKey] = frozenset()
    problems: tuple[FileProblem, ...] = ()
    complete: bool = True
    gaps: tuple[Gap, ...] | None = None


Deliver = Callable[[Changes], Awaitable[None]]


class LinkStore(Protocol):
    """Remembers the chain of promotions beside the Pipeline, longer than any stream."""

    def read(self, pipeline: Pipeline) -> Links: ...

    def write(self, pipeline: Pipeline, links: Links) -> None: ...

    def published(self, situation: Situation) -> None:
        """Take note of how it stands after what followed from a look was published."""


class Stored(Protocol):
    """The place of an event in its stream."""

    @property
    def sequence(self) -> int: ...


class Publisher(Protocol):
    """Publishes an event, at most once for a message id within the stream's window."""

    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> Stored:
        """Publish an event.

        Raises:
            Rejected: `exists`, where `create_once` found that somebody was first.
            Retryable: the bus did not answer.

        """
        ...

    async def last(self, model: type[Message], subject: str, *, stream: str) -> object | None:
        """Return what the stream holds last on a subject; none where it holds nothing.

        Raises:
            Rejected: it is something else, or malformed.
            Retryable: the bus did not answer.

        """


class HmacKeys(Protocol):
    """The keys that senders of hints sign with."""

    async def read(self, secret: SecretRef) -> Secret | None:
        """Read the key; none where the Secret has none.

        Raises:
            Rejected: there is no such Secret, it may not be read, or is no key.
            Retryable: nobody answered.

        """
        ...
