"""Questions to a repository with one token: side by side, in order, or many at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Answer, Request, Sent, Token
from countersign.dialects.repositories.contents import Tip, TreeEntry

# Sent side by side: twice as many as the transport has connections.
BATCH: Final = 16
_Item = TypeVar("_Item")


class Ask(Protocol):
    """Sends side by side, with a token."""

    def __call__(self, *asked: Request) -> Conversation[Sequence[Answer]]: ...


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Files at a commit, and how large they may be."""

    commit: str
    files: Sequence[TreeEntry]
    bytes_max: int


def asking_with(token: Token) -> Ask:
    """Return what sends requests with that token."""

    def ask(*asked: Request) -> Conversation[Sequence[Answer]]:
        if not asked:
            return ()
        return (yield tuple(Sent(request=r, token=token) for r in asked))

    return ask


def ask_in_order(ask: Ask, *asked: Request) -> Conversation[list[Answer]]:
    """Send each when the one before it was answered."""
    found: list[Answer] = []
    for request in asked:
        found += yield from ask(request)
    return found


def batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Divide what there is to ask into what is sent side by side."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def read_at_s(answer: Answer, *tips: Tip | None) -> float:
    """Return when an answer was given, by the forge's clock.

    Without a date it was when one of the branches was last committed to: then none counts as dead.
    """
    return answer.date_s or max(tip.committed_at_s if tip else 0.0 for tip in tips)
