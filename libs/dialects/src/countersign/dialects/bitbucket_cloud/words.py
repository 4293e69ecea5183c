"""The words in which Bitbucket Cloud refuses."""

from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.exchange import Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.statuses import ErrorWords, body_of

_TOLD_CHARACTERS_MAX: Final = 200
_BY_STATUS: Final = {
    403: ForgeRefusal.FORBIDDEN,
    404: ForgeRefusal.NOT_FOUND,
    409: ForgeRefusal.CONFLICT,
}


def told(answer: Answer) -> str:
    """Return its sentence: a short one, and often a longer one behind it.

    Source: https://developer.atlassian.com/cloud/bitbucket/rest/intro/#standardized-error-responses
    """
    error = shapes.fields_at(body_of(answer), "error")
    texts = (shapes.text_at(error, "message"), shapes.text_at(error, "detail"))
    return "; ".join(filter(None, texts))


ERRORS: Final = ErrorWords(told=told)


def in_the_way(*, place: Place, branch: str, name: str) -> Rejected:
    """Return what is wrong where another branch has a part of ours for its name."""
    return Rejected(
        ForgeRefusal.REFUSED,
        f"{place.name}: branch {name!r} makes {branch!r} impossible; rename or delete it",
    )


def commit_refusal(answer: Answer, *, place: Place, branch: str, is_there: bool) -> Rejected:
    """Return what is wrong with a commit that the forge did not make.

    A rule is told in Bitbucket's own words, for they name it.

    Args:
        answer: not a success.
        place: the repository.
        branch: the commit was to be on it.
        is_there: whether that branch is there now.

    """
    where = f"{place.name}: branch {branch!r}"
    if is_there:
        return Rejected(ForgeRefusal.BRANCH_TAKEN, f"{where} was made by somebody else meanwhile")
    said = "".join(c for c in told(answer) if c.isprintable())[:_TOLD_CHARACTERS_MAX]
    return Rejected(
        _BY_STATUS.get(answer.status, ForgeRefusal.REFUSED),
        f"{where}: the forge made no commit, and answered {answer.status} {said!r}",
    )
