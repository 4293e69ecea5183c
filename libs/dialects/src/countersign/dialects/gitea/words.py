"""Meanings of the words with which Gitea and Forgejo refuse a commit."""

from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.exchange import Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place


@dataclass(frozen=True, kw_only=True)
class _Word:
    """A part of the vendors' sentence, and what it means for whoever asked."""

    part: str
    reason: ForgeRefusal
    advice: str


# Source: modules/git/error.go, services/repository/files in both vendors' repositories.
_COMMIT: Final = (
    _Word(
        part="sha does not match",
        reason=ForgeRefusal.CONFLICT,
        advice="a file was changed meanwhile",
    ),
    _Word(
        part="object does not exist",
        reason=ForgeRefusal.CONFLICT,
        advice="a file was removed meanwhile",
    ),
    _Word(
        part="protected branch",
        reason=ForgeRefusal.REFUSED,
        advice="a rule protects new branches; let the user push to branches below 'countersign/'",
    ),
    _Word(
        part="is not allowed to edit",
        reason=ForgeRefusal.FORBIDDEN,
        advice="the repository is archived",
    ),
    _Word(
        part="required scope",
        reason=ForgeRefusal.FORBIDDEN,
        advice="the token needs the scope write:repository",
    ),
)


def in_the_way(*, place: Place, branch: str, name: str) -> Rejected:
    """Return what is wrong where another branch has a part of ours for its name, or ours of its."""
    return Rejected(
        ForgeRefusal.REFUSED,
        f"{place.name}: branch {name!r} makes {branch!r} impossible; rename or delete it",
    )


def commit_refusal(answer: Answer, *, place: Place, branch: str, is_there: bool) -> Rejected:
    """Return what is wrong with a commit that the forge did not make.

    Args:
        answer: not a success.
        place: the repository.
        branch: the commit was to be on it.
        is_there: whether that branch is there now; none of ours would be, as it is all or nothing.

    """
    where = f"{place.name}: branch {branch!r}"
    if is_there:
        return Rejected(ForgeRefusal.BRANCH_TAKEN, f"{where} was made by somebody else meanwhile")
    told = shapes.text_at(answer.json() if answer.body else None, "message")
    for word in _COMMIT:
        if word.part in told:
            return Rejected(word.reason, f"{where}: {word.advice}")
    reason = {403: ForgeRefusal.FORBIDDEN, 404: ForgeRefusal.NOT_FOUND, 409: ForgeRefusal.CONFLICT}
    return Rejected(
        reason.get(answer.status, ForgeRefusal.REFUSED),
        f"{where}: the forge made no commit, and answered {answer.status}",
    )
