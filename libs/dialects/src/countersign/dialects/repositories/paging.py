"""Lists that come page by page, each after the one before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.questions import Ask

CHANGES_TOO_MUCH: Final = "the branch changes too much to compare"
# Where a page begins, as a kind of forge has it: a number, a word.
_Start = TypeVar("_Start")


@dataclass(frozen=True, kw_only=True)
class Paging(Generic[_Start]):
    """One kind's pages.

    Args:
        after: where the page after these begins; none after the last.

    """

    after: Callable[[Sequence[Answer]], _Start | None]

    def read(
        self,
        ask: Ask,
        first: Answer,
        more: Callable[[_Start], Request],
        *,
        most: int,
        excess: str = "",
    ) -> Conversation[list[Answer]]:
        """Read on from a first page, to the last or so many.

        Raises:
            Rejected: `limit_exceeded`, in the words for an excess; without them the rest is left.

        """
        found = [first]
        while True:
            with shapes.reading("read a page"):
                start = self.after(found)
            if start is not None and len(found) >= most and excess:
                raise Rejected(ForgeRefusal.LIMIT_EXCEEDED, excess)
            if start is None or len(found) >= most:
                return found
            found += yield from ask(more(start))
