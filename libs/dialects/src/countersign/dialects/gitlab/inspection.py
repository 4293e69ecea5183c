"""Questions to GitLab about a stored token. Pure.

A personal token, one of a project or group and one of a service account look alike, and tell all of
themselves; whose they are tells them apart. An application's token is asked about elsewhere.
"""

import re
from typing import Final

from countersign.contracts.messages import (
    TokenKind,
    TokenOwnerStanding,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Sent
from countersign.dialects.gitlab import answers
from countersign.dialects.gitlab.scopes import SCOPES
from countersign.dialects.inspection import (
    UNAUTHORIZED,
    Inspection,
    InspectionDialect,
    Question,
    asking,
    not_told,
    refused,
    scopes_in,
)

_SCOPE: Final = re.compile(r"[a-z0-9_]{1,64}")
# Source: https://docs.gitlab.com/user/project/settings/project_access_tokens/#bot-users-for-projects
_PROJECT_BOT: Final = re.compile(r"project_([0-9]{1,18})_bot(?:_[0-9a-f]+|[0-9]*)")
_GROUP_BOT: Final = re.compile(r"group_[0-9]+_bot(?:_[0-9a-f]+|[0-9]*)")
_PATH: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}(?:/[A-Za-z0-9_.-]{1,255}){1,20}")
# An application's has no prefix. Source: https://docs.gitlab.com/security/tokens/#token-prefixes
_OF_APPLICATION: Final = re.compile(r"[0-9a-f]{64}")
_DEPLOY: Final = ("gldt-", "glcbt-", "glrt-", "glptt-", "glagent-")
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
        Sent(request=asking(url), token=question.credential) for url in (path, "/user")
    )
    if told.status == UNAUTHORIZED:
        return refused(question.kind)
    body = told.accepted
    if body is None:
        return not_told(question.kind, told)
    if of_itself and shapes.part_at(body, "active") is not True:
        return refused(question.kind)
    account = user.accepted or {}
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
        scopes=scopes_in(body.get("scopes"), _SCOPE) if of_itself else None,
        expires_at=shapes.moment_at(body, "expires_at") if of_itself else None,
        expiry_known=of_itself and "expires_at" in body,
        created_at=shapes.moment_at(body, "created_at") if of_itself else None,
        last_used_at=shapes.moment_at(body, "last_used_at") if of_itself else None,
    )


def _repositories(question: Question, name: str) -> Conversation[tuple[str, ...] | None]:
    """Ask for the one project that a bot is for, where it may be read."""
    found = _PROJECT_BOT.fullmatch(name)
    if found is None:
        return None
    (answer,) = yield (Sent(request=asking(f"/projects/{found[1]}"), token=question.credential),)
    path = shapes.text_at(answer.accepted, "path_with_namespace")
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


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    scoped=frozenset({TokenKind.PERSONAL, TokenKind.GROUP, TokenKind.REPOSITORY}),
    scopes=SCOPES,
    advice="use an access token of that project, with the role Developer",
)
