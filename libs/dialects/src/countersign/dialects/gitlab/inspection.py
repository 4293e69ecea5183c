"""Questions to GitLab about a stored token. Pure.

A personal token, one of a project or group and one of a service account look alike, and tell all of
themselves; whose they are tells them apart. An application's token is asked about elsewhere.
"""

import re
from datetime import datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import (
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.contracts.wire.times import plausible
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Request, Sent
from countersign.dialects.gitlab import answers
from countersign.dialects.gitlab.scopes import SCOPES
from countersign.dialects.inspection import (
    Inspection,
    InspectionDialect,
    Question,
    unanswered,
)

SCOPES_MAX: Final = 64
_SCOPE: Final = re.compile(r"[a-z0-9_]{1,64}")
# Source: https://docs.gitlab.com/user/project/settings/project_access_tokens/#bot-users-for-projects
_PROJECT_BOT: Final = re.compile(r"project_([0-9]{1,18})_bot(?:_[0-9a-f]+|[0-9]*)")
_GROUP_BOT: Final = re.compile(r"group_[0-9]+_bot(?:_[0-9a-f]+|[0-9]*)")
_PATH: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}(?:/[A-Za-z0-9_.-]{1,255}){1,20}")
# An application's has no prefix. Source: https://docs.gitlab.com/security/tokens/#token-prefixes
_OF_APPLICATION: Final = re.compile(r"[0-9a-f]{64}")
_DEPLOY: Final = ("gldt-", "glcbt-", "glrt-", "glptt-", "glagent-")
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_READ_HERE: Final = frozenset({401, 403, 404})
_BLOCKED: Final = frozenset({"blocked", "ldap_blocked", "deactivated", "banned"})


def token_kind(token: Secret) -> TokenKind:
    """Tell the kind by the form, as far as that goes."""
    text = token.reveal()
    if text.startswith(_DEPLOY):
        return TokenKind.OTHER
    return TokenKind.OAUTH_APP if _OF_APPLICATION.fullmatch(text) else TokenKind.PERSONAL


def _inspect(question: Question) -> Conversation[Inspection]:
    of_itself = question.kind is not TokenKind.OAUTH_APP
    path = "/personal_access_tokens/self" if of_itself else "/user"
    told, user = yield tuple(
        Sent(request=_get(url), token=question.credential) for url in (path, "/user")
    )
    if told.status == _UNAUTHORIZED:
        return Inspection(
            kind=question.kind, validity=TokenValidity.INVALID, why=TokenReason.REFUSED
        )
    body = _object(told)
    if body is None:
        why = TokenReason.FORBIDDEN if told.status == _FORBIDDEN else TokenReason.NOT_UNDERSTOOD
        return unanswered(question.kind, why, detail=f"it answered {told.status}")
    if of_itself and shapes.part_at(body, "active") is not True:
        return Inspection(
            kind=question.kind, validity=TokenValidity.INVALID, why=TokenReason.REFUSED
        )
    account = _object(user) or {}
    name = shapes.text_at(account, "username")
    repositories = yield from _repositories(question, name)
    is_bot = shapes.part_at(account, "bot")
    return Inspection(
        kind=_kind_of(question.kind, name=name),
        validity=TokenValidity.VALID,
        owner=answers.user_of(account),
        is_person=not is_bot if isinstance(is_bot, bool) else None,
        repositories=repositories,
        standing=_standing(shapes.text_at(account, "state")),
        scopes=_scopes(body.get("scopes")) if of_itself else None,
        expires_at=_moment(body.get("expires_at")) if of_itself else None,
        expiry_known=of_itself and "expires_at" in body,
        created_at=_moment(body.get("created_at")) if of_itself else None,
        last_used_at=_moment(body.get("last_used_at")) if of_itself else None,
    )


def _repositories(question: Question, name: str) -> Conversation[tuple[str, ...] | None]:
    """Ask for the one project that a bot is for, where it may be read."""
    found = _PROJECT_BOT.fullmatch(name)
    if found is None:
        return None
    (answer,) = yield (Sent(request=_get(f"/projects/{found[1]}"), token=question.credential),)
    path = shapes.text_at(_object(answer), "path_with_namespace")
    return (path,) if _PATH.fullmatch(path) else None


def _kind_of(told: TokenKind, *, name: str) -> TokenKind:
    if _PROJECT_BOT.fullmatch(name):
        return TokenKind.REPOSITORY
    return TokenKind.GROUP if _GROUP_BOT.fullmatch(name) else told


def _standing(state: str) -> TokenOwnerStanding:
    if state == "active":
        return TokenOwnerStanding.ACTIVE
    blocked = state in _BLOCKED
    return TokenOwnerStanding.DEACTIVATED if blocked else TokenOwnerStanding.UNSPECIFIED


def _scopes(node: Any) -> tuple[str, ...] | None:
    if not isinstance(node, list):
        return None
    found = {scope for scope in node if isinstance(scope, str) and _SCOPE.fullmatch(scope)}
    return tuple(sorted(found))[:SCOPES_MAX]


def _moment(node: Any) -> datetime | None:
    """Read a time; a day, as the end of a token is told, is its midnight in UTC."""
    try:
        return plausible(datetime.fromisoformat(node))
    except (TypeError, ValueError):
        return None


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        body = answer.json() if answer.status == OK else None
    except Rejected:
        return None
    return body if isinstance(body, dict) else None


def _get(url: str) -> Request:
    return Request(name="inspect token", method="GET", url=url, passes=_READ_HERE)


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    scoped=frozenset({TokenKind.PERSONAL, TokenKind.GROUP, TokenKind.REPOSITORY}),
    scopes=SCOPES,
    advice="use an access token of that project, with the role Developer",
)
