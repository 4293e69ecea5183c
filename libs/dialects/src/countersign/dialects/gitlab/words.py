"""The words in which GitLab refuses."""

from dataclasses import dataclass
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.dialects.exchange import Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.statuses import ErrorWords, body_of

_TOLD_MAX: Final = 4
_TOLD_CHARACTERS_MAX: Final = 200
_FORBIDDEN: Final = 403
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
    """Tell what a group with SAML enforced wants from what a role forbids."""
    wanted = answer.status == _FORBIDDEN and any(word in told(answer) for word in _SINGLE_SIGN_ON)
    return ForgeRefusal.SIGN_ON_WANTED if wanted else None


ERRORS: Final = ErrorWords(told=told, reason=_reason)


@dataclass(frozen=True, kw_only=True)
class _Word:
    """A part of the vendor's sentence, and what it means for whoever asked."""

    part: str
    reason: ForgeRefusal
    advice: str


# Source: app/services/files, lib/gitlab/git and the rules of lib/gitlab/checks in the vendor's
# repository.
_COMMIT: Final = (
    _Word(
        part="A file with this name doesn't exist",
        reason=ForgeRefusal.CONFLICT,
        advice="a file was removed meanwhile",
    ),
    _Word(
        part="has changed since",
        reason=ForgeRefusal.CONFLICT,
        advice="a file was changed meanwhile",
    ),
    _Word(
        part="not allowed to push",
        reason=ForgeRefusal.FORBIDDEN,
        advice="whose token it is may not push there, or a rule protects new branches; allow "
        "branches below 'countersign/'",
    ),
    _Word(
        part="insufficient_scope",
        reason=ForgeRefusal.FORBIDDEN,
        advice="the token needs the scope api",
    ),
    _Word(
        part="archived",
        reason=ForgeRefusal.FORBIDDEN,
        advice="the project is archived",
    ),
)
_BY_STATUS: Final = {403: ForgeRefusal.FORBIDDEN, 404: ForgeRefusal.NOT_FOUND}


def in_the_way(*, place: Place, branch: str, name: str) -> Rejected:
    """Return what is wrong where another branch has a part of ours for its name."""
    return Rejected(
        ForgeRefusal.REFUSED,
        f"{place.name}: branch {name!r} makes {branch!r} impossible; rename or delete it",
    )


def commit_refusal(answer: Answer, *, place: Place, branch: str, is_there: bool) -> Rejected:
    """Return what is wrong with a commit that the forge did not make.

    A push rule is told in GitLab's own words, for they name it.

    Args:
        answer: not a success.
        place: the repository.
        branch: the commit was to be on it.
        is_there: whether that branch is there now; none of ours would be, as it is all or nothing.

    """
    where = f"{place.name}: branch {branch!r}"
    if is_there:
        return Rejected(ForgeRefusal.BRANCH_TAKEN, f"{where} was made by somebody else meanwhile")
    text = told(answer)
    for word in _COMMIT:
        if word.part in text:
            return Rejected(word.reason, f"{where}: {word.advice}")
    said = "".join(c for c in text if c.isprintable())[:_TOLD_CHARACTERS_MAX]
    return Rejected(
        _BY_STATUS.get(answer.status, ForgeRefusal.REFUSED),
        f"{where}: the forge made no commit, and answered {answer.status} {said!r}",
    )
