"""The words in which Bitbucket Data Center refuses."""

from typing import Final

from countersign.dialects import shapes
from countersign.dialects.bitbucket_server import requests
from countersign.dialects.exchange import Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.commit_refusals import CommitRefusals
from countersign.dialects.statuses import ErrorWords, body_of

_UNAUTHORIZED: Final = 401
# It says 401 both of a token that it does not know and of one that may not.
_MAY_NOT: Final = "AuthorisationException"
_BRANCH_THERE: Final = "DuplicateRefException"
_DUPLICATE: Final = "DuplicatePullRequestException"
_TOLD_MAX: Final = 4


def told(answer: Answer) -> str:
    """Return its sentences.

    Source: https://developer.atlassian.com/server/bitbucket/rest/v1000/intro/#errors-and-validation
    """
    texts = (shapes.text_at(error, "message") for error in _errors(answer))
    return "; ".join(list(filter(None, texts))[:_TOLD_MAX])


def _errors(answer: Answer) -> list[shapes.Json]:
    found = shapes.part_at(body_of(answer), "errors")
    return found if isinstance(found, list) else []


def _is(answer: Answer, name: str) -> bool:
    """Check for a Java exception, by the end of its name."""
    return any(shapes.text_at(e, "exceptionName").endswith(name) for e in _errors(answer))


def _reason(answer: Answer) -> ForgeRefusal | None:
    may_not = answer.status == _UNAUTHORIZED and _is(answer, _MAY_NOT)
    return ForgeRefusal.FORBIDDEN if may_not else None


def is_branch_there(answer: Answer) -> bool:
    """Check that a branch was not made because there was one of its name."""
    return _is(answer, _BRANCH_THERE)


def is_duplicate(answer: Answer) -> bool:
    """Check that a pull request is open for the same two branches already."""
    return _is(answer, _DUPLICATE)


ERRORS: Final = ErrorWords(told=told, reason=_reason)
COMMIT_REFUSALS: Final = CommitRefusals(
    branch=requests.branch,
    by_status={
        403: ForgeRefusal.FORBIDDEN,
        404: ForgeRefusal.NOT_FOUND,
        409: ForgeRefusal.CONFLICT,
    },
    told=told,
)
