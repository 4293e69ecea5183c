"""GitHub's refusals: single sign-on is told by a header."""

from typing import Final

from countersign.dialects.exchange import Answer
from countersign.dialects.limits import FORBIDDEN
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.statuses import ErrorWords

# Source: https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
SINGLE_SIGN_ON: Final = "x-github-sso"


def _reason(answer: Answer) -> ForgeRefusal | None:
    wanted = answer.status == FORBIDDEN and SINGLE_SIGN_ON in answer.headers
    return ForgeRefusal.SIGN_ON_WANTED if wanted else None


ERRORS: Final = ErrorWords(reason=_reason)
