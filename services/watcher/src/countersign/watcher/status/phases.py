"""The standing of a promotion, in one word for programs and a few for people. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from countersign.contracts.messages import Caution
from countersign.contracts.promotion import Note, Promotion, State
from countersign.dialects.pages import pull_request_page

_PHASES: Final = {
    State.WAITING: "WaitingForApproval",
    State.ASKED: "SigningIn",
    State.OPENING: "OpeningPullRequest",
    State.OPEN: "WaitingForMerge",
    State.DEPLOYING: "Deploying",
    State.COMPLETED: "Completed",
    State.UNDONE: "Undone",
    State.FAILED: "Failed",
    State.REJECTED: "Rejected",
    State.CLOSED: "Closed",
    State.SUPERSEDED: "Superseded",
}
# Said to whoever looks before they approve; a caution newer than this has no words yet.
CAUTIONS: Final[Mapping[Caution, str]] = {
    Caution.UNSPECIFIED: "look at it closely",
    Caution.DOWNGRADE: "it is a downgrade",
    Caution.FOREIGN_CONTENT: "it replaces what no promotion brought",
    Caution.HINDERED: "it overtakes an upgrade that hangs",
}
AWAITS_APPROVAL: Final = frozenset({State.WAITING, State.ASKED})


def phase_of(promotion: Promotion) -> str:
    return _PHASES[promotion.state]


def revision_of(promotion: Promotion) -> str:
    return promotion.request.content.revision.recorded


def approvers_of(promotion: Promotion) -> tuple[str, ...]:
    return tuple(a.by.name or a.by.id for a in promotion.granted)


def page_of(promotion: Promotion) -> str:
    return pull_request_page(promotion.pull_request) if promotion.pull_request else ""


def waits_for(promotion: Promotion) -> str:
    """Name whom or what it waits for; what ended says what became of it."""
    say = _WORDS.get(promotion.state)
    return say(promotion) if say else promotion.reason


def _merge(promotion: Promotion) -> str:
    return f"whoever merges {page_of(promotion) or 'the pull request'}"


def _deployment(promotion: Promotion) -> str:
    return f"{promotion.request.promotion.environment}, which has not run it healthily yet"


def _rejection(promotion: Promotion) -> str:
    who = promotion.rejected_by
    by = f" by {who.name or who.id}" if who else ""
    because = f", {promotion.reason}" if promotion.reason else ""
    # What was open or merged already can only be given up.
    ended = "given up" if promotion.opened or promotion.merged else "rejected"
    return f"somebody who tries again: {ended}{by}{because}"


def _approval(promotion: Promotion) -> str:
    signing_in = [a.by.name or a.by.id for a in promotion.approvals if not a.is_given]
    if signing_in:
        return f"{', '.join(signing_in)}, who signs in at the forge"
    given = approvers_of(promotion)
    missing = max(1, promotion.approvals_needed - len({a.by.id for a in promotion.granted}))
    people = "a person" if missing == 1 else f"{missing} people"
    if given:
        people = f"{missing} more beside {', '.join(given)}"
    note = {Note.LOST: "; an approval was lost", Note.EXPIRED: "; an approval expired"}
    environment = promotion.request.promotion.environment
    cautions = "".join(f"; {CAUTIONS[caution]}" for caution in promotion.request.cautions)
    again = note.get(promotion.note, "")
    return f"{people} who may promote into {environment}{again}{cautions}"


_WORDS: Final[Mapping[State, Callable[[Promotion], str]]] = {
    State.WAITING: _approval,
    State.ASKED: _approval,
    State.OPENING: lambda _: "Countersign, which opens the pull request",
    State.OPEN: _merge,
    State.DEPLOYING: _deployment,
    State.FAILED: lambda p: p.failure_message or "somebody who tries again",
    State.REJECTED: _rejection,
    State.CLOSED: lambda _: "somebody who tries again: its pull request was closed unmerged",
}
