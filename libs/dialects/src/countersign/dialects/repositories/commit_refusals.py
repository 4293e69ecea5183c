"""Refusals of a commit that a forge did not make: what each means, and what to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Request
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.questions import Ask
from countersign.dialects.statuses import PASSES_S, message_of

_TOLD_CHARACTERS_MAX: Final = 200
# Asks for a branch by its name; there is none where it is answered with anything but success.
AskForBranch = Callable[[Place, str], Request]


@dataclass(frozen=True, kw_only=True)
class Word:
    """A part of a vendor's sentence, and what it means for whoever asked."""

    part: str
    reason: ForgeRefusal
    advice: str


@dataclass(frozen=True, kw_only=True)
class CommitRefusals:
    """One kind's refusals.

    Args:
        branch: asks for a branch.
        words: sentences that say more than the status.
        by_status: what the others mean; `refused` for the rest.
        told: the forge's sentence. One that is not among the words is quoted: a rule names itself.

    """

    branch: AskForBranch
    words: tuple[Word, ...] = ()
    by_status: Mapping[int, ForgeRefusal] = field(default_factory=dict)
    told: Callable[[Answer], str] = message_of

    def find(
        self, ask: Ask, answer: Answer, *, place: Place, branch: str
    ) -> Conversation[Rejected | Retryable]:
        """Find out what is wrong with a commit that was not made on its new branch.

        It is all or nothing everywhere: where the branch is there now, it is somebody else's.
        """
        where = f"{place.name}: branch {branch!r}"
        (there,) = yield from ask(self.branch(place, branch))
        if there.status == OK:
            return Rejected(
                ForgeRefusal.BRANCH_TAKEN, f"{where} was made by somebody else meanwhile"
            )
        above = yield from self.in_the_way(ask, place=place, branch=branch)
        return above or self.by_words(answer, place=place, branch=branch)

    def in_the_way(self, ask: Ask, *, place: Place, branch: str) -> Conversation[Rejected | None]:
        """Find a branch that is named like a folder of ours, which makes ours impossible."""
        parts = branch.split("/")
        above = ["/".join(parts[:n]) for n in range(1, len(parts))]
        found = yield from ask(*(self.branch(place, name) for name in above))
        for name, answer in zip(above, found, strict=True):
            if answer.status == OK:
                return Rejected(
                    ForgeRefusal.REFUSED,
                    f"{place.name}: branch {name!r} makes {branch!r} impossible; rename or "
                    "delete it",
                )
        return None

    def by_words(self, answer: Answer, *, place: Place, branch: str) -> Rejected | Retryable:
        """Tell what is wrong by what the forge says alone."""
        where, told = f"{place.name}: branch {branch!r}", self.told(answer)
        for word in self.words:
            if word.part in told and word.reason is ForgeRefusal.FORGE_UNAVAILABLE:
                return Retryable(word.reason, f"{where}: {word.advice}", after_s=PASSES_S)
            if word.part in told:
                return Rejected(word.reason, f"{where}: {word.advice}")
        said = "".join(c for c in told if c.isprintable())[:_TOLD_CHARACTERS_MAX]
        return Rejected(
            self.by_status.get(answer.status, ForgeRefusal.REFUSED),
            f"{where}: the forge made no commit, and answered {answer.status} {said!r}",
        )
