"""The words in which GitLab refuses."""

from typing import Any, Final

from countersign.dialects.exchange import Answer
from countersign.dialects.gitlab import requests
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.commit_refusals import CommitRefusals, Word
from countersign.dialects.statuses import ErrorWords, body_of

_TOLD_MAX: Final = 4
_FORBIDDEN: Final = 403
# In maintenance mode, and while a repository is moved.
# Source: https://docs.gitlab.com/administration/maintenance_mode/#rest-api
# and https://docs.gitlab.com/api/project_repository_storage_moves/
_READ_ONLY: Final = ("on a read-only instance", "temporarily read-only")
_SINGLE_SIGN_ON: Final = ("SAML", "single sign-on", "Single Sign-On")


def told(answer: Answer) -> str:
    """Return GitLab's sentence: a text, a list, an object of lists, or OAuth's two fields.

    Source: https://docs.gitlab.com/api/rest/troubleshooting/
    """
    body = body_of(answer)
    if not isinstance(body, dict):
        return ""
    found = _texts(body.get("message")) or _texts(body.get("error_description"))
    return "; ".join((found or _texts(body.get("error")))[:_TOLD_MAX])


def _texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, list):
        return [text for text in node if isinstance(text, str)]
    if isinstance(node, dict):
        return [f"{name} {text}" for name, texts in node.items() for text in _texts(texts)]
    return []


def _reason(answer: Answer) -> ForgeRefusal | None:
    """Tell what a group with SAML enforced wants, and what passes, from what a role forbids."""
    if answer.status != _FORBIDDEN:
        return None
    text = told(answer)
    if any(word in text for word in _READ_ONLY):
        return ForgeRefusal.FORGE_UNAVAILABLE
    wanted = any(word in text for word in _SINGLE_SIGN_ON)
    return ForgeRefusal.SIGN_ON_WANTED if wanted else None


ERRORS: Final = ErrorWords(told=told, reason=_reason)

# Source: app/services/files, lib/gitlab/git and the rules of lib/gitlab/checks in the vendor's
# repository.
_WORDS: Final = (
    *(
        Word(
            part=part,
            reason=ForgeRefusal.FORGE_UNAVAILABLE,
            advice="the instance or the repository is read-only for a while",
        )
        for part in _READ_ONLY
    ),
    *(
        Word(
            part=part,
            reason=ForgeRefusal.SIGN_ON_WANTED,
            advice="the group wants a session of its single sign-on; sign in to it at GitLab",
        )
        for part in _SINGLE_SIGN_ON
    ),
    Word(
        part="A file with this name doesn't exist",
        reason=ForgeRefusal.CONFLICT,
        advice="a file was removed meanwhile",
    ),
    Word(
        part="has changed since",
        reason=ForgeRefusal.CONFLICT,
        advice="a file was changed meanwhile",
    ),
    Word(
        part="not allowed to push",
        reason=ForgeRefusal.FORBIDDEN,
        advice="whose token it is may not push there, or a rule protects new branches; allow "
        "those of that folder",
    ),
    # The sentence of `insufficient_scope`.
    # Source: https://docs.gitlab.com/api/rest/authentication/#impersonate-another-user-sudo
    Word(
        part="higher privileges than provided",
        reason=ForgeRefusal.FORBIDDEN,
        advice="the token needs the scope api",
    ),
    Word(
        part="archived",
        reason=ForgeRefusal.FORBIDDEN,
        advice="the project is archived",
    ),
)
COMMIT_REFUSALS: Final = CommitRefusals(
    branch=requests.branch,
    words=_WORDS,
    by_status={403: ForgeRefusal.FORBIDDEN, 404: ForgeRefusal.NOT_FOUND},
    told=told,
)
