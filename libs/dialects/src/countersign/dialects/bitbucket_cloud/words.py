"""The words in which Bitbucket Cloud refuses."""

from typing import Final

from countersign.dialects import shapes
from countersign.dialects.bitbucket_cloud import requests
from countersign.dialects.exchange import Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.commit_refusals import CommitRefusals
from countersign.dialects.statuses import ErrorWords, body_of


def told(answer: Answer) -> str:
    """Return its sentence: a short one, and often a longer one behind it.

    Source: https://developer.atlassian.com/cloud/bitbucket/rest/intro/#standardized-error-responses
    """
    error = shapes.fields_at(body_of(answer), "error")
    texts = (shapes.text_at(error, "message"), shapes.text_at(error, "detail"))
    return "; ".join(filter(None, texts))


ERRORS: Final = ErrorWords(told=told)

COMMIT_REFUSALS: Final = CommitRefusals(
    branch=requests.branch,
    by_status={
        403: ForgeRefusal.FORBIDDEN,
        404: ForgeRefusal.NOT_FOUND,
        409: ForgeRefusal.CONFLICT,
    },
    told=told,
)
