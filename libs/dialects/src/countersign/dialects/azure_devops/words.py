"""The words in which Azure DevOps refuses: sentences that begin with a code."""

from typing import Final
from urllib.parse import urlsplit

from countersign.dialects.azure_devops import requests
from countersign.dialects.exchange import Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.commit_refusals import CommitRefusals, Word
from countersign.dialects.statuses import ErrorWords, message_of

NON_AUTHORITATIVE: Final = 203
_FOUND: Final = 302
_REFUSED: Final = frozenset({401, 403})
# What the policy of the organization's directory wants is another sign-in.
# Source: https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/change-application-access-policies
_CONDITIONAL_ACCESS: Final = "VS403463"
PULL_EXISTS: Final = "TF401179"


def _reason(answer: Answer) -> ForgeRefusal | None:
    """Tell a page where people sign in, which comes as a success or as an address of it.

    Source: https://learn.microsoft.com/en-us/azure/devops/integrate/get-started/rest/samples
    """
    if answer.status == NON_AUTHORITATIVE or _leads_to_sign_in(answer):
        return ForgeRefusal.UNAUTHORIZED
    if answer.status in _REFUSED and _CONDITIONAL_ACCESS in message_of(answer):
        return ForgeRefusal.SIGN_ON_WANTED
    return None


def _leads_to_sign_in(answer: Answer) -> bool:
    try:
        path = urlsplit(answer.headers.get("location", "")).path
    except ValueError:
        return False
    return answer.status == _FOUND and path.rstrip("/").endswith("/_signin")


ERRORS: Final = ErrorWords(told=message_of, reason=_reason)


def is_code(answer: Answer, code: str) -> bool:
    return message_of(answer).startswith(f"{code}:")


# Source: https://learn.microsoft.com/en-us/azure/devops/repos/git/set-git-repository-permissions
# and https://learn.microsoft.com/en-us/azure/devops/repos/git/branch-policies
_WORDS: Final = (
    Word(
        part="TF401027",
        reason=ForgeRefusal.FORBIDDEN,
        advice="whose token it is lacks a permission there; it needs Contribute, Create branch and "
        "Contribute to pull requests",
    ),
    Word(
        part="TF402455",
        reason=ForgeRefusal.FORBIDDEN,
        advice="a branch policy covers new branches; let it leave out those of that folder",
    ),
    Word(
        part="TF401028",
        reason=ForgeRefusal.CONFLICT,
        advice="the branch was changed meanwhile",
    ),
    Word(
        part="TF401035",
        reason=ForgeRefusal.CONFLICT,
        advice="the commit that it begins at is gone",
    ),
)
COMMIT_REFUSALS: Final = CommitRefusals(
    branch=requests.branch,
    words=_WORDS,
    by_status={
        403: ForgeRefusal.FORBIDDEN,
        404: ForgeRefusal.NOT_FOUND,
        409: ForgeRefusal.CONFLICT,
    },
)
