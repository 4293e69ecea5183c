"""Questions about one pull request, as far as forges answer them alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Request
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.pulls import PullState, PullStatus
from countersign.dialects.repositories.questions import Ask
from countersign.dialects.shapes import Json

_OPENED: Final = frozenset({200, 201})
AboutPull = Callable[[Place, int], Request]


@dataclass(frozen=True, kw_only=True)
class PullQuestions:
    """One kind's questions.

    Args:
        pull: asks for it.
        close: closes it unmerged.
        status_of: reads the answer of either.
        called: how people call it, `pull request #{}`.

    """

    pull: AboutPull
    close: AboutPull
    status_of: Callable[[Json], PullStatus]
    called: str = "pull request #{}"

    def closed(self, ask: Ask, place: Place, number: int) -> Conversation[None]:
        """Close it; one that is closed already is no error.

        Raises:
            Rejected: `conflict`; it was merged.

        """
        request = self.close(place, number)
        (answer,) = yield from ask(request)
        if answer.status != OK:
            # It was closed already, or merged: the refusal does not say.
            (answer,) = yield from ask(self.pull(place, number))
        with shapes.reading(request.name):
            state = self.status_of(answer.json()).state
        if state is not PullState.CLOSED:
            raise Rejected(
                ForgeRefusal.CONFLICT,
                f"{place.name}: {self.called.format(number)} cannot be closed, it is {state.value}",
            )

    def followed(
        self, ask: Ask, place: Place, number: int, *, since: str
    ) -> Conversation[PullStatus | None]:
        """Return what became of it; none where nothing changed since that version.

        Raises:
            Rejected: `not_found`.

        """
        request = self.pull(place, number)
        (answer,) = yield from ask(request)
        if answer.status != OK:
            raise Rejected(
                ForgeRefusal.NOT_FOUND,
                f"{place.name}: there is no {self.called.format(number)}",
            )
        with shapes.reading(request.name):
            status = self.status_of(answer.json())
        return None if status.version == since else status


def refuse_unopened(
    answer: Answer, place: Place, *, head: str, exists: bool, called: str = "pull request"
) -> None:
    """Refuse an answer that opened none, of which the kind says if it means that one exists.

    Raises:
        Rejected: `pull_exists`, `refused`.

    """
    if exists:
        raise Rejected(
            ForgeRefusal.PULL_EXISTS, f"{place.name}: a {called} is open for branch {head!r}"
        )
    if answer.status not in _OPENED:
        raise Rejected(
            ForgeRefusal.REFUSED,
            f"{place.name}: the forge opened no {called} for branch {head!r}, and answered "
            f"{answer.status}",
        )


def unrelated(place: Place, commit: str) -> Rejected:
    """Return the refusal of a commit that has no ancestor in common with the base."""
    return Rejected(
        ForgeRefusal.CONFLICT, f"{place.name}: {commit!r} has nothing in common with us"
    )


def too_many_pulls(branch: str) -> str:
    return f"branch {branch!r} has too many pull requests"
