"""Questions to Bitbucket Data Center about a stored token. Pure.

An HTTP access token of an account, a project or a repository look alike. Of an account's the forge
tells all, by the id that is written in it; of the others that they are good, and no more.
"""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

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
from countersign.dialects.bitbucket_server import requests
from countersign.dialects.bitbucket_server.accounts import account
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Basic, Request
from countersign.dialects.inspection import (
    Inspection,
    InspectionDialect,
    Question,
    ScopeRules,
    unanswered,
)
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.questions import Ask, asking_with

# Source: https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html
SCOPES: Final = ScopeRules(
    sufficient=frozenset({"REPO_WRITE", "REPO_ADMIN"}),
    # None is narrowed to a repository; what there is of a project's comes besides.
    unbounded=frozenset({"REPO_WRITE", "REPO_ADMIN"}),
    powerful=frozenset({"REPO_ADMIN", "PROJECT_ADMIN"}),
    harmless=frozenset({"REPO_READ", "PROJECT_READ"}),
    meanings={
        "REPO_WRITE": "push to every repository that its owner may write to",
        "REPO_ADMIN": "change settings and rights of every repository that its owner administers",
        "PROJECT_WRITE": "push to every repository of every project that its owner may write to",
        "PROJECT_ADMIN": "change settings and rights of every project that its owner administers",
    },
)
SCOPES_MAX: Final = 16
_SCOPE: Final = re.compile(r"[A-Z_]{1,64}")
_PREFIX: Final = "BBDC-"
_ID: Final = re.compile(rb"([0-9]{1,20}):")
_UNAUTHORIZED: Final = 401
_READ_HERE: Final = frozenset({401, 403, 404})


def token_kind(token: Secret) -> TokenKind:
    """Tell the kind by the form; whose it is tells more."""
    return TokenKind.PERSONAL if _id_of(token) else TokenKind.OTHER


def _id_of(token: Secret) -> str:
    """Return the id that is written in an HTTP access token, before its secret; empty for none."""
    text = token.reveal().removeprefix(_PREFIX)
    try:
        found = _ID.match(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return ""
    return found[1].decode() if found else ""


def _inspect(question: Question) -> Conversation[Inspection]:
    ask = asking_with(question.credential)
    try:
        (told,) = yield from ask(requests.anything())
        found = yield from account(ask, told)
    except Rejected as error:
        if error.reason == ForgeRefusal.UNAUTHORIZED:
            return Inspection(
                kind=question.kind, validity=TokenValidity.INVALID, why=TokenReason.REFUSED
            )
        forbidden = error.reason == ForgeRefusal.FORBIDDEN
        why = TokenReason.FORBIDDEN if forbidden else TokenReason.NOT_UNDERSTOOD
        return unanswered(question.kind, why, detail=error.message)
    if found.user is None:
        # It is a project's or a repository's, and does not say which.
        return Inspection(kind=TokenKind.REPOSITORY, validity=TokenValidity.VALID)
    body = yield from _of_itself(ask, question, slug=shapes.text_at(found.node, "slug"))
    return Inspection(
        kind=question.kind,
        validity=TokenValidity.VALID,
        owner=found.user,
        is_person={"NORMAL": True, "SERVICE": False}.get(shapes.text_at(found.node, "type")),
        standing=_standing(shapes.part_at(found.node, "active")),
        scopes=_scopes(body.get("permissions")),
        expires_at=_moment(body.get("expiryDate")),
        expiry_known="expiryDate" in body,
        created_at=_moment(body.get("createdDate")),
        last_used_at=_moment(body.get("lastAuthenticated")),
    )


def _of_itself(ask: Ask, question: Question, *, slug: str) -> Conversation[dict[str, Any]]:
    """Ask for what is known of the token; nothing where it may not be asked."""
    held = question.credential
    token_id = _id_of(held.password if isinstance(held, Basic) else held)
    if not token_id or not slug:
        return {}
    url = f"/access-tokens/latest/users/{quote(slug, safe='')}/{token_id}"
    request = Request(name="inspect token", method="GET", url=url, passes=_READ_HERE)
    (answer,) = yield from ask(request)
    body = _object(answer)
    return body if str(body.get("id")) == token_id else {}


def _standing(active: Any) -> TokenOwnerStanding:
    if not isinstance(active, bool):
        return TokenOwnerStanding.UNSPECIFIED
    return TokenOwnerStanding.ACTIVE if active else TokenOwnerStanding.DEACTIVATED


def _scopes(node: Any) -> tuple[str, ...] | None:
    if not isinstance(node, list):
        return None
    found = {scope for scope in node if isinstance(scope, str) and _SCOPE.fullmatch(scope)}
    return tuple(sorted(found))[:SCOPES_MAX]


def _moment(node: Any) -> datetime | None:
    """Read milliseconds, or the text that the description has."""
    try:
        if type(node) is int:
            return plausible(datetime.fromtimestamp(node / 1000, UTC))
        return plausible(datetime.fromisoformat(node))
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _object(answer: Answer) -> dict[str, Any]:
    try:
        body = answer.json() if answer.status == OK else None
    except Rejected:
        return {}
    return body if isinstance(body, dict) else {}


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    scoped=frozenset({TokenKind.PERSONAL}),
    scopes=SCOPES,
    advice="use one of an account that may write to that repository alone",
)
